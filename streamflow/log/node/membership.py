"""Who a node is among others: its number, its roles, where it is reached, and who votes on the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NODE_ID = 1
"""Of a node alone, unless told otherwise."""
BROKER, CONTROLLER = "broker", "controller"
ROLES = frozenset({BROKER, CONTROLLER})


@dataclass(frozen=True, slots=True)
class Endpoint:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Invariant: a controller is one of the `voters`, and a node that is alone is both broker and controller.

    Args:
        voters: where the controllers are reached by nodes, by their numbers; empty for a node alone.
        client: where clients reach this node; None for one without a socket.
        peer: where other nodes reach it; None for one alone.
    """

    node_id: int = NODE_ID
    roles: frozenset[str] = ROLES
    voters: Mapping[int, Endpoint] = field(default_factory=dict)
    client: Endpoint | None = None
    peer: Endpoint | None = None
    rack: str | None = None

    @property
    def alone(self) -> bool:
        return not self.voters

    @property
    def quorum(self) -> frozenset[int]:
        """Who votes."""
        return frozenset(self.voters or (self.node_id,))

    @property
    def broker(self) -> bool:
        return BROKER in self.roles

    @property
    def controller(self) -> bool:
        return CONTROLLER in self.roles
