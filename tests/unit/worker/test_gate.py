"""The gate between work and commits."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from streamflow.worker.gate import Gate


def test_a_commit_waits_until_nobody_works_and_nobody_begins_while_it_runs() -> None:
    gate, log = Gate(), []

    async def work(name: str, turns: int) -> None:
        async with gate.working():
            log.append(f"{name} in")
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            log.append(f"{name} out")

    async def commit() -> None:
        async with gate.committing():
            log.append("commit")
            await anyio.lowlevel.checkpoint()
            log.append("committed")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(work, "a", 5)
            group.start_soon(work, "b", 9)
            await anyio.lowlevel.checkpoint()
            group.start_soon(commit)
            await anyio.lowlevel.checkpoint()
            group.start_soon(work, "c", 1)

    anyio.run(main)
    assert log.index("commit") > max(log.index("a out"), log.index("b out"))
    assert log.index("committed") == log.index("commit") + 1
    assert log.index("c in") > log.index("committed")


def test_a_worker_that_fails_leaves_the_gate() -> None:
    gate = Gate()

    async def main() -> None:
        try:
            async with gate.working():
                raise ValueError
        except ValueError:
            pass
        with anyio.fail_after(1):
            async with gate.committing():
                pass

    anyio.run(main)
