# The whole workflow. Every target makes .venv by itself; Python 3.11 or newer and make are all it takes.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
BIN := .venv/bin

.PHONY: help run test test-slow test-all check format bench docs clean

help:
	@echo "make run        replay a month of flights: alerts, windows, a report"
	@echo "make test       the quick tests"
	@echo "make test-all   those that kill processes, too"
	@echo "make check      format, lint, types, import contracts"
	@echo "make bench      this machine's rates, beside the peers'"
	@echo "make docs       the pages, as HTML in build/docs"

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found on PATH" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/run: pyproject.toml | .venv/bin/python
	@echo "installing into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[compression,hostwatch]'
	@touch $@

.venv/dev: pyproject.toml .venv/run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[compression,hostwatch,dev]'
	@touch $@

run: .venv/run
	@$(BIN)/python -m apps.flights

test: .venv/dev
	$(BIN)/python -m pytest -q -m "not slow"

test-slow: .venv/dev
	$(BIN)/python -m pytest -q -m slow

test-all: test test-slow

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/dev
	$(BIN)/python -m benchmarks.run

docs: .venv/dev
	$(BIN)/python docs/build.py

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
