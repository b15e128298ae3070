"""`streamflow group …`"""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from streamflow.cli.connection import positions, with_log
from streamflow.errors import ConfigError
from streamflow.event import TopicPartition
from streamflow.transport.base import LATEST, Committed, Transport


def show_all(address: str) -> None:
    async def work(transport: Transport) -> list[str]:
        return sorted(await transport.groups())

    for group in with_log(address, work):
        print(group)


async def known_group(transport: Transport, group: str) -> dict[TopicPartition, Committed]:
    """Raises: ConfigError for a group that has committed nothing."""
    committed = await transport.committed(group)
    if not committed:
        known = ", ".join(sorted(await transport.groups())) or "none"
        raise ConfigError(f"unknown group '{group}'; there is: {known}")
    return committed


def describe(group: str, address: str) -> None:
    async def work(transport: Transport) -> None:
        committed = await known_group(transport, group)
        topics = await transport.topics()
        there = [tp for tp in committed if tp.topic in topics]
        ends = await transport.offsets_for_times(dict.fromkeys(there, LATEST))
        table = Table(box=None, pad_edge=False)
        for title in ("topic", "partition", "committed", "end", "lag"):
            table.add_column(title, justify="left" if title == "topic" else "right", no_wrap=True)
        for tp in sorted(committed):
            end = ends.get(tp)
            lag = "deleted" if end is None else str(max(0, end - committed[tp].offset))
            table.add_row(
                tp.topic, str(tp.partition), str(committed[tp].offset), str(end if end is not None else "–"), lag
            )
        Console().print(table)

    with_log(address, work)


def reset(group: str, to: str, topic: str | None, address: str, *, sure: bool) -> None:
    async def work(transport: Transport) -> None:
        committed = await known_group(transport, group)
        chosen = [tp for tp in sorted(committed) if topic is None or tp.topic == topic]
        if not chosen:
            raise ConfigError(f"group '{group}' has no offsets of topic '{topic}'")
        wanted = await positions(transport, chosen, to)
        for tp in chosen:
            print(f"{tp}: {committed[tp].offset} → {wanted[tp]}")
        if not sure:
            typer.confirm(f"Move group '{group}'? Its app must be stopped", abort=True)
        await transport.commit_offsets(group, {tp: Committed(wanted[tp]) for tp in chosen})

    with_log(address, work)
