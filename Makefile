# The whole workflow. Every target makes .venv by itself; Python 3.11 or newer and make are all it takes.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help run test test-slow test-clients test-chaos test-all sim chaos check format bench bench-micro bench-broker docs clean

help:
	@echo "make run          replay a month of flights: alerts, windows, a report"
	@echo "make test         the quick tests"
	@echo "make test-slow    those that start processes and kill them"
	@echo "make test-clients Kafka's clients and tools, against this broker and Apache Kafka"
	@echo "make test-chaos   three minutes of faults on three real brokers"
	@echo "make test-all     all of them"
	@echo "make sim          clusters on virtual time: SEEDS=2000 or MINUTES=10, NODES=3"
	@echo "make chaos        a real cluster under faults: MINUTES=10"
	@echo "make check        format, lint, types, import contracts, the house's rules"
	@echo "make format       format, and mend what lint can mend"
	@echo "make bench        this machine's rates, beside the peers'"
	@echo "make bench-micro  the cost of single steps: encode, decode, append, read"
	@echo "make bench-broker our broker beside Apache Kafka, under others' load generators: Java, npm, a C compiler"
	@echo "make docs         the pages, as HTML in build/docs"
	@echo "make clean        remove .venv and everything built"

# pip is the last thing venv installs: an environment that was interrupted has none, and is made anew.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found on PATH" >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv

.venv/run: pyproject.toml | $(BIN)/pip
	@echo "installing into .venv"
	@$(INSTALL) -e '.[compression,hostwatch]'
	@touch $@

.venv/dev: pyproject.toml | $(BIN)/pip
	@echo "installing into .venv, with the tools for development"
	@$(INSTALL) -e '.[compression,hostwatch,dev]'
	@touch .venv/run $@

run: .venv/run
	@$(BIN)/python -m apps.flights

test: .venv/dev
	$(BIN)/python -m pytest -q -n auto -m "not slow"

test-slow: .venv/dev
	$(BIN)/python -m pytest -q -n 2 -m "slow and not clients and not chaos"

test-clients: .venv/dev
	$(BIN)/python -m pytest -q -m clients

test-chaos: .venv/dev
	$(BIN)/python -m pytest -q -m chaos

test-all: test test-slow test-clients test-chaos

sim: .venv/dev
	$(BIN)/python -m tests.simulation.cluster --nodes $(or $(NODES),3) --first $(or $(FIRST),0) \
		$(if $(MINUTES),--minutes $(MINUTES),--seeds $(or $(SEEDS),2000))

chaos: .venv/dev
	$(BIN)/python -m tests.chaos.run --minutes $(or $(MINUTES),10)

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m pytest -q tests/unit/test_house.py

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/dev
	$(BIN)/python -m benchmarks.run

bench-micro: .venv/dev
	@$(BIN)/python -m benchmarks.micro

bench-broker: .venv/dev
	$(BIN)/python -m benchmarks.broker.run

docs: .venv/dev
	$(BIN)/python docs/build.py

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
