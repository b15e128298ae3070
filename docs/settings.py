"""Writes `settings.md`: every setting of the broker and of topics, from the tables the broker itself reads.

python docs/settings.py
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from streamflow.log.controller.configs import TOPIC_SETTINGS, Setting, as_text
from streamflow.log.controller.inert import INERT_TOPIC_SETTINGS
from streamflow.log.node.config import IN_LONGER_UNITS, NODE_SETTINGS
from streamflow.log.node.inert import INERT_BROKER_SETTINGS

PAGE = Path(__file__).parent / "settings.md"

INTRODUCTION = """# Settings

By Kafka's names. A setting that isn't on this page is refused: a typo in what keeps data must not go unnoticed. This
page is made by `python docs/settings.py`, from the tables the broker itself reads.

## The broker

Given when it starts, with `--set NAME=VALUE` or in the file of `--config`; an app's embedded log takes them in its
address, `log://PATH?NAME=VALUE`. Clients see them with their sources (`kafka-configs --describe --all`), as
`STATIC_BROKER_CONFIG` where they were given.

"""

TOPICS = """
## Topics

Given when a topic is made, and altered at any time; they hold on open partitions at once. Where a topic has none, the
broker's setting of the second name is its default: that may be given when the broker starts, and altered while it runs,
for one broker or for all.

"""

OLDER = """
Times are taken in longer units by Kafka's older names too: {names}.
"""

INERT = """
## Without an effect

Kafka has these, and they are shown as Kafka shows them, with its defaults. One is taken with another value only if no
promise hangs on it.

"""

FIXED = """
## As they are

Kafka's settings of a broker that follow from how this one is made. They are taken with this value and no other, so that
a file made for Kafka serves.

"""


def value(setting: Setting) -> str:
    text = as_text(setting.default)
    return f"`{text}`" if text else "(empty)"


def allowed(setting: Setting) -> str:
    if setting.fixed:
        return "its default"
    if isinstance(setting.default, bool):
        return "`true`, `false`"
    if isinstance(setting.default, str):
        choices = ", ".join(f"`{choice}`" for choice in setting.choices)
        return f"any of {choices}" if setting.many and choices else choices or "text"
    most = f"to {setting.most}" if setting.most < 2**63 - 1 else "or more"
    return f"{setting.least} {most} {setting.unit}".strip()


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def page() -> str:
    node = [(f"`{s.name}`", value(s), allowed(s), s.reason) for s in NODE_SETTINGS]
    topics = [(f"`{s.name}`", f"`{s.broker}`", value(s), allowed(s), s.reason) for s in TOPIC_SETTINGS]
    inert = [(f"`{s.name}`", value(s), allowed(s), s.reason) for s in INERT_TOPIC_SETTINGS]
    fixed = [(f"`{s.name}`", value(s), s.reason) for s in INERT_BROKER_SETTINGS]
    older = ", ".join(f"`{name}`" for name in IN_LONGER_UNITS)
    return (
        INTRODUCTION
        + table(("name", "default", "values", "why"), node)
        + TOPICS
        + table(("name", "the broker's", "default", "values", "why"), topics)
        + OLDER.format(names=older)
        + INERT
        + table(("name", "default", "values", "why it has none"), inert)
        + FIXED
        + table(("name", "value", "why"), fixed)
    )


if __name__ == "__main__":
    PAGE.write_text(page())
