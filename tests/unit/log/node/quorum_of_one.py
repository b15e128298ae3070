"""A metadata log without a log: what is decided holds at once. Its clock stands still unless a test moves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from streamflow.log.controller.image import MetadataImage
from streamflow.log.controller.records import AnyRecord, Cluster, decode, encode
from streamflow.log.errors import NotControllerError, PeerUnreachableError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.controller import Controller

CLUSTER = "the-cluster"


@dataclass
class QuorumOfOne:
    image: MetadataImage = field(default_factory=MetadataImage)
    active: bool = True
    leader_epoch: int = 1
    applied: int = -1
    now: int = 1_000_000

    async def change(self, decide: Callable[[MetadataImage], Sequence[AnyRecord]]) -> Sequence[AnyRecord]:
        if not self.active:
            raise NotControllerError("not this one")
        records = decide(self.image)
        for record in records:
            self.image.apply(decode(encode(record)))
        self.applied += len(records)
        self.image.check()
        return records

    def now_ms(self) -> int:
        return self.now

    async def named(self) -> QuorumOfOne:
        await self.change(lambda _: [Cluster(cluster_id=CLUSTER)])
        return self

    def controller(self, **settings: str) -> Controller:
        config = NodeConfig.parse({name.replace("_", "."): value for name, value in settings.items()})
        return Controller(self, config, now_ms=self.now_ms, random_bytes=Random(1).randbytes)


class OtherNodes:
    """Peers that answer as given: by node, in turn, the last for ever; an error is raised."""

    def __init__(self, answers: dict[int, list[Any]]) -> None:
        self.answers = answers
        self.asked: list[tuple[int, Any]] = []

    async def ask(self, node_id: int, request: Any, *, timeout_ms: int) -> Any:
        assert timeout_ms > 0
        self.asked.append((node_id, request))
        answers = self.answers.get(node_id) or [PeerUnreachableError(f"node {node_id} is gone")]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer
