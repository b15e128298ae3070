"""The command `streamflow`: one file a command, imported when it is called, so that `--help` is quick.

An error of the world is one line on stderr and exit code 1; `--debug` shows where it came from.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from streamflow.errors import StreamflowError
from streamflow.transport import DEFAULT_LOG

app = typer.Typer(
    name="streamflow",
    help="Stream processing in Python, with its own durable log.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
topics = typer.Typer(help="Create, list, describe and delete topics.", no_args_is_help=True)
groups = typer.Typer(help="List, describe and reset groups.", no_args_is_help=True)
clusters = typer.Typer(help="Run a cluster on this machine; look at one.", no_args_is_help=True)
app.add_typer(topics, name="topic")
app.add_typer(groups, name="group")
app.add_typer(clusters, name="cluster")

LogOption = Annotated[str, typer.Option("--log", envvar="STREAMFLOW_LOG", help="Address of the log.")]


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"streamflow {installed('streamflow-log')}")
        raise typer.Exit
    if debug:
        os.environ["STREAMFLOW_DEBUG"] = "1"


@app.command()
def worker(
    path: Annotated[str, typer.Argument(metavar="APP", help="A file (app.py, app.py:name) or module:app.")],
    log: Annotated[
        str | None, typer.Option("--log", envvar="STREAMFLOW_LOG", help="Another log than the app's.")
    ] = None,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop when the sources have ended.")] = False,
) -> None:
    """Run an app. Ctrl-C finishes the events in hand and commits; a second one stops at once."""
    from streamflow.cli.worker import run

    run(path, log, until_end=until_end)


@app.command()
def broker(
    data: Annotated[Path, typer.Option("--data", help="The directory of the log; made if it isn't there.")],
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")] = (
        "127.0.0.1:9092"
    ),
    advertise: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where clients reach the broker, if not at --listen.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where Prometheus asks; unless given, nowhere.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings, as a TOML file.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; wins over the file's.")
    ] = None,
    controllers: Annotated[
        str | None,
        typer.Option(metavar="ID@HOST:PORT,…", help="In a cluster: all controllers, where nodes reach them."),
    ] = None,
    node_id: Annotated[int, typer.Option(min=0, help="In a cluster: this node's number.")] = 1,
    peer_listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="In a cluster: where the other nodes are served.")
    ] = None,
    peer_advertise: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where they reach this node, if not at --peer-listen.")
    ] = None,
    role: Annotated[str, typer.Option(help="In a cluster: broker, controller, or both.")] = "broker,controller",
    rack: Annotated[str | None, typer.Option(help="In a cluster: where the node stands.")] = None,
) -> None:
    """Serve a log to Kafka's clients, alone or as one of several. Ctrl-C answers what was asked and closes the log."""
    from streamflow.cli.broker import Addresses, Place, run

    place = None
    if controllers is not None or peer_listen is not None:
        place = Place(
            node_id=node_id,
            peer_listen=peer_listen,
            controllers=controllers,
            peer_advertise=peer_advertise,
            role=role,
            rack=rack,
        )
    run(data, Addresses(listen, advertise, metrics), config, settings or [], place)


@app.command()
def produce(
    topic: Annotated[str, typer.Argument(help="The topic to write to.")],
    key: Annotated[str | None, typer.Option(help="JSON path of the key: user.id or $.user.id.")] = None,
    separator: Annotated[
        str | None, typer.Option("--key-separator", help="The key is what stands before this in a line.")
    ] = None,
    create: Annotated[bool, typer.Option("--create", help="Create the topic if it doesn't exist.")] = False,
    partitions: Annotated[int, typer.Option(help="Of a topic that is created.")] = 4,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Write the lines of standard input, a record each."""
    from streamflow.cli.produce import Lines, run

    run(topic, Lines(key, separator), log, create=partitions if create else None)


@app.command()
def consume(
    topic: Annotated[str, typer.Argument(help="The topic to read.")],
    start: Annotated[str, typer.Option("--from", help="beginning, end, or a time (ISO 8601, or ms).")] = "beginning",
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
    form: Annotated[str, typer.Option("--format", help="json, raw or table.")] = "json",
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more at the end.")] = False,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this one.")] = None,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Show the records of a topic."""
    from streamflow.cli.consume import Request, run

    run(Request(topic, start, count, form, follow, partition), log)


@app.command()
def graph(
    path: Annotated[str, typer.Argument(metavar="APP", help="A file (app.py, app.py:name) or module:app.")],
    svg: Annotated[str | None, typer.Option(help="Also draw it into this file.")] = None,
) -> None:
    """Show how an app's topics, operators, agents and sinks hang together."""
    from streamflow.cli.graph import run

    run(path, svg)


@app.command()
def new(name: Annotated[str, typer.Argument(help="Of the app, and of the directory that is made.")]) -> None:
    """Make a starter app with its test."""
    from streamflow.cli.new import run

    run(name)


@topics.command("create")
def topic_create(
    name: str,
    partitions: Annotated[int, typer.Option(min=1)] = 4,
    config: Annotated[list[str] | None, typer.Option(help="name=value, by Kafka's names; may be repeated.")] = None,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Create a topic."""
    from streamflow.cli.topic import create

    create(name, partitions, config or [], log)


@topics.command("list")
def topic_list(log: LogOption = DEFAULT_LOG) -> None:
    """List the topics."""
    from streamflow.cli.topic import show_all

    show_all(log)


@topics.command("describe")
def topic_describe(name: str, log: LogOption = DEFAULT_LOG) -> None:
    """Show a topic's partitions and settings."""
    from streamflow.cli.topic import describe

    describe(name, log)


@topics.command("delete")
def topic_delete(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Delete a topic and its records."""
    from streamflow.cli.topic import delete

    delete(name, log, sure=yes)


@topics.command("accept-loss")
def topic_accept_loss(name: str, partition: Annotated[int, typer.Option(min=0)], log: LogOption = DEFAULT_LOG) -> None:
    """Go on without records whose bytes are damaged. The bytes are kept."""
    from streamflow.cli.topic import accept_loss

    accept_loss(name, partition, log)


@groups.command("list")
def group_list(log: LogOption = DEFAULT_LOG) -> None:
    """List the groups."""
    from streamflow.cli.group import show_all

    show_all(log)


@groups.command("describe")
def group_describe(group: str, log: LogOption = DEFAULT_LOG) -> None:
    """Show where a group stands, and how far behind."""
    from streamflow.cli.group import describe

    describe(group, log)


@groups.command("reset")
def group_reset(
    group: str,
    to: Annotated[str, typer.Option(help="beginning, end, or a time (ISO 8601, or ms).")],
    topic: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Move a group's offsets. State that the app kept isn't moved back with them."""
    from streamflow.cli.group import reset

    reset(group, to, topic, log, sure=yes)


@clusters.command("local")
def cluster_local(
    data: Annotated[Path, typer.Option("--data", help="The directory of the nodes' directories.")],
    nodes: Annotated[int, typer.Option(help="How many.")] = 3,
    port: Annotated[int, typer.Option(help="Of the first node; others follow. Nodes meet 100 above.")] = 9092,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, of every node.")
    ] = None,
) -> None:
    """Run a cluster on this machine, for development. Ctrl-C stops all of it; a second one kills it."""
    from streamflow.cli.local_cluster import Plan, run

    run(Plan(nodes=nodes, data=data.expanduser(), port=port, settings=tuple(settings or ())))


@clusters.command("status")
def cluster_status(
    bootstrap: Annotated[
        str, typer.Option(metavar="HOST:PORT,…", help="Where brokers serve clients; the first that answers is asked.")
    ] = "127.0.0.1:9092",
) -> None:
    """Show nodes, quorum, and partitions that lack replicas. Exit code 1: something isn't served."""
    from streamflow.cli.cluster_status import run

    if not run(bootstrap):
        raise typer.Exit(1)


def main() -> None:
    """The command's entry."""
    try:
        app()
    except StreamflowError as error:
        if os.environ.get("STREAMFLOW_DEBUG"):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
