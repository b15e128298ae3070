"""`streamflow new`: a starter app with its test."""

from __future__ import annotations

import re
from pathlib import Path

from streamflow.errors import ConfigError

APP = '''"""Payments in, alerts out: a card that spends more than 10,000."""

import streamflow as sf

app = sf.App("{name}")


class Payment(sf.Record):
    card: str
    amount: float


class Alert(sf.Record):
    card: str
    spent: float


payments = app.topic("payments", value=Payment, key="card")
alerts = app.topic("alerts", value=Alert, key="card")
spent = app.table("spent", default=float)


@app.agent(payments, sink=alerts)
async def big_spender(stream):
    async for payment in stream:
        spent[payment.card] += payment.amount
        if spent[payment.card] > 10_000:
            yield Alert(payment.card, spent[payment.card])
'''

TEST = '''"""The app on virtual time: no log, no waiting."""

import streamflow as sf
from app import Alert, Payment, alerts, app, payments, spent


def test_a_card_that_spends_too_much_raises_an_alert():
    with sf.testing.TestApp(app) as t:
        t.send(payments, Payment("card-1", 6_000.0))
        t.send(payments, Payment("card-2", 500.0))
        assert t.read(alerts) == []
        t.send(payments, Payment("card-1", 6_000.0))
        assert t.read(alerts) == [Alert("card-1", 12_000.0)]
        assert t.table(spent) == {"card-1": 12_000.0, "card-2": 500.0}
'''

README = """# {name}

    python -m pytest                                   the test, on virtual time (once: pip install pytest)
    streamflow produce payments --create --key card    lines of JSON from standard input
    streamflow worker app.py                           run it; Ctrl-C stops it cleanly
    streamflow consume alerts                          what came out

The log is the directory `streamflow-data`. One process at a time has it open: stop the worker before you produce or
consume from another, or let the app bring its events in with `@app.source`.
"""


def run(name: str) -> None:
    """Raises: ConfigError for a name that can't be one, or a directory that exists."""
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}", name):
        raise ConfigError(f"{name!r} can't name an app; begin with a letter, go on with letters, digits, '-' and '_'")
    directory = Path(name)
    if directory.exists():
        raise ConfigError(f"'{name}' exists already; choose another name, or delete it first")
    try:
        directory.mkdir()
        for file, text in (("app.py", APP), ("test_app.py", TEST), ("README.md", README)):
            (directory / file).write_text(text.replace("{name}", name))
    except OSError as error:
        raise ConfigError(f"can't make '{directory}' in {Path.cwd()}: {error.strerror}") from error
    print(f"made {name}/app.py, {name}/test_app.py and {name}/README.md. Next:")
    print(f"  cd {name}")
    print("  python -m pytest                # once: pip install pytest")
    print('  echo \'{"card": "c1", "amount": 12000}\' | streamflow produce payments --create --key card')
    print("  streamflow worker app.py        # Ctrl-C stops it")
    print("  streamflow consume alerts")
