"""The command, as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "streamflow.cli.main"]


def run(directory: Path, *words: str, stdin: str = "", code: int = 0) -> str:
    done = subprocess.run(
        [*COMMAND, *words], cwd=directory, input=stdin, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_from_a_new_app_to_its_alert(tmp_path: Path) -> None:
    run(tmp_path, "new", "bank")
    bank = tmp_path / "bank"
    test = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=bank, capture_output=True, text=True, timeout=60, check=False
    )
    assert "1 passed" in test.stdout, test.stdout + test.stderr
    payments = "".join(json.dumps({"card": f"c{n % 3}", "amount": 1000.0}) + "\n" for n in range(33))
    assert "33 records written to 'payments'" in run(
        bank, "produce", "payments", "--create", "--key", "card", stdin=payments
    )
    assert "events=33" in run(bank, "worker", "app.py", "--until-end")
    alerts = [json.loads(line) for line in run(bank, "consume", "alerts").splitlines()]
    assert sorted((a["key"], a["value"]["spent"]) for a in alerts) == [("c0", 11_000), ("c1", 11_000), ("c2", 11_000)]
    assert run(bank, "consume", "alerts", "--format", "raw", "--count", "1").count("\n") == 1
    assert "11000" in run(bank, "consume", "alerts", "--format", "table")
    assert run(bank, "consume", "alerts", "--from", "2100-01-01") == ""

    assert run(bank, "group", "list").split() == ["bank.big_spender"]
    described = run(bank, "group", "describe", "bank.big_spender")
    assert {line.split()[-1] for line in described.splitlines()[1:]} == {"0"}
    run(bank, "group", "reset", "bank.big_spender", "--to", "beginning", "--yes")
    described = run(bank, "group", "describe", "bank.big_spender")
    assert sum(int(line.split()[-1]) for line in described.splitlines()[1:]) == 33


def test_topics_are_created_listed_described_and_deleted(tmp_path: Path) -> None:
    run(tmp_path, "topic", "create", "events", "--partitions", "3", "--config", "retention.ms=1000")
    assert "events" in run(tmp_path, "topic", "list")
    described = run(tmp_path, "topic", "describe", "events")
    assert "retention.ms = 1000" in described
    assert len(described.splitlines()) >= 5
    run(tmp_path, "topic", "delete", "events", "--yes")
    assert "events" not in run(tmp_path, "topic", "list")


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def f(:\n")
    run(tmp_path, "topic", "create", "events")
    assert "bad.py line 1:" in run(tmp_path, "worker", "bad.py", code=1)
    assert "did you mean 'events'?" in run(tmp_path, "consume", "event", code=1)
    assert "unknown setting" in run(tmp_path, "topic", "create", "x", "--config", "no.such=1", code=1)
    assert "already exists" in run(tmp_path, "topic", "create", "events", code=1)
    assert "isn't a place to start" in run(tmp_path, "consume", "events", "--from", "yesterday", code=1)
    assert "unknown group 'g'" in run(tmp_path, "group", "describe", "g", code=1)
    assert "isn't JSON" in run(tmp_path, "produce", "events", "--key", "id", stdin="nope\n", code=1)
    (tmp_path / "file").write_text("")
    assert "choose a directory" in run(tmp_path, "topic", "create", "x", "--log", "log://file/inside", code=1)
    assert "use one of: memory://, log://PATH" in run(tmp_path, "topic", "list", "--log", "carrier-pigeon://x", code=1)
    assert "there is no log at 'elsewhere'" in run(tmp_path, "topic", "list", "--log", "log://elsewhere", code=1)
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / "app.py").write_text("import streamflow as sf\napp = sf.App('idle')\n")
    assert "has nothing to run" in run(tmp_path, "worker", "app.py", code=1)
    assert "has nothing to draw" in run(tmp_path, "graph", "app.py", code=1)
    assert "never comes to" in run(tmp_path, "consume", "events", "--follow", "--format", "table", code=1)
    assert "the 1 before it are written" in run(
        tmp_path, "produce", "events", "--key-separator", ":", stdin="a:1\nb\n", code=1
    )


def test_what_stops_a_worker_is_one_line(tmp_path: Path) -> None:
    app = "import streamflow as sf\napp = sf.App('shop')\norders = app.topic('orders')\n{}"
    agent = "@app.agent(orders)\n{}def f(stream):\n    {}\n"
    bodies = {
        "isn't async": agent.format("", "pass"),
        "'Stream' object is not iterable (app.py line 6)": agent.format("async ", "for order in stream: pass"),
        "stopped at orders-0 offset 0: ZeroDivisionError": agent.format("async ", "async for order in stream: 1 / 0"),
        "give it what the agent reads: @app.agent(topic)": "@app.agent\nasync def f(stream): pass\n",
        "source 's' failed: OSError: gone": "@app.source\nasync def s(_):\n    raise OSError('gone')\n    yield\n",
        "timer 't' failed: TypeError: it isn't async": "@app.timer('1ms')\ndef t(): pass\n",
    }
    run(tmp_path, "produce", "orders", "--create", "--partitions", "1", stdin="1\n")
    for says, body in bodies.items():
        (tmp_path / "app.py").write_text(app.format(body))
        assert says in run(tmp_path, "worker", "app.py", code=1)
    assert "isn't the address of a log" in run(tmp_path, "worker", "app.py", "--log", "carrier-pigeon://x", code=1)


def test_a_worker_told_to_stop_commits_and_leaves(tmp_path: Path) -> None:
    run(tmp_path, "new", "bank")
    bank = tmp_path / "bank"
    run(bank, "produce", "payments", "--create", "--key", "card", stdin='{"card": "c", "amount": 20000}\n')
    with subprocess.Popen([*COMMAND, "worker", "app.py"], cwd=bank, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        assert any("worker ready" in line for line in worker.stderr)
        refused = run(bank, "topic", "list", code=1)
        assert f"process {worker.pid}" in refused
        os.kill(worker.pid, signal.SIGTERM)
        rest = worker.stderr.read()
        assert worker.wait(10) == 0, rest
    assert "events=1 alerts=1" in rest
    assert "20000" in run(bank, "consume", "alerts")


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    lines = "".join(f"{n}\n" for n in range(20_000))
    run(tmp_path, "produce", "numbers", "--create", "--partitions", "1", stdin=lines)
    shell = f"{' '.join(COMMAND)} consume numbers --format raw | head -n 3"
    done = subprocess.run(shell, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["0", "1", "2"]
    assert done.stderr == ""
