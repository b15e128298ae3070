"""Tasks built from a plan: what is restored into them, and what is refused."""

from __future__ import annotations

import anyio
import pytest

import streamflow as sf
from streamflow.errors import AppError
from streamflow.event import Batch, TopicPartition
from streamflow.transport import open_transport
from streamflow.transport.base import TopicSpec, Transport
from streamflow.worker.tasks import assemble


def counting_app(value: object = int) -> sf.App:
    app = sf.App("counting", partitions=2)
    app.table("seen", value=value)
    words = app.topic("words", value=str)

    @app.agent(words)
    async def count(stream):
        async for _ in stream:
            pass

    words.stream(name="by-word").group_by(lambda w: w).aggregate(n=sf.count()).to(app.topic("counts"))
    return app


async def keep(transport: Transport, where: TopicPartition, key: bytes | None, value: bytes) -> None:
    await (await transport.writer()).append(where, Batch([key], [value], [0], range(1)))


def refusal(app: sf.App, topic: str, *, partitions: int = 2, value: bytes = b"\xc1", key: bytes = b"k") -> str:
    """What is said of the app when this topic is there already, with one record."""

    async def main() -> str:
        transport = open_transport("memory://", now_ms=lambda: 0)
        await transport.open()
        await transport.create_topic(TopicSpec(name=topic, partitions=partitions))
        await keep(transport, TopicPartition(topic, 0), key, value)
        with pytest.raises(AppError) as refused:
            await assemble(app, transport)
        await transport.close()
        return str(refused.value)

    return anyio.run(main)


def test_every_topic_of_the_app_is_created_with_as_many_partitions_as_its_inputs() -> None:
    async def main() -> None:
        transport = open_transport("memory://", now_ms=lambda: 0)
        await transport.open()
        assembly = await assemble(counting_app(), transport)
        topics = await transport.topics()
        assert {name: topics[name].partitions for name in ("words", "counts", "counting-seen-changelog")} == {
            "words": 2,
            "counts": 2,
            "counting-seen-changelog": 2,
        }
        assert topics["counting-seen-changelog"].config["cleanup.policy"] == "compact"
        assert sorted(task.partition for task in assembly.tasks if task.piece.agents) == [0, 1]
        await transport.close()

    anyio.run(main)


def test_a_table_kept_with_another_type_is_refused_and_says_how_to_go_on() -> None:
    said = refusal(counting_app(value=int), "counting-seen-changelog", value=b"\xa4text", key=b"s:k")
    assert "table 'seen' was kept with values of another type" in said
    assert "give new fields defaults, or the table another name" in said


STATE = "by-word-by-key-totals"


def test_state_that_other_code_kept_is_refused_with_the_operators_name() -> None:
    said = refusal(counting_app(), f"counting-{STATE}-changelog")
    assert f"the state of '{STATE}' was kept by other code" in said
    assert "bring that code back, or rename the operator" in said


def test_state_in_other_partitions_than_its_input_is_refused() -> None:
    said = refusal(counting_app(), f"counting-{STATE}-changelog", partitions=3)
    assert f"the state of '{STATE}' is kept in 3 partitions, its input has 2" in said


def test_a_topic_with_other_partitions_than_the_app_declares_is_refused() -> None:
    app = sf.App("counting")
    app.topic("words", value=str, partitions=2).stream(name="words").to(app.topic("copies"))
    assert "declare partitions=3" in refusal(app, "words", partitions=3)
