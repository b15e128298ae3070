"""What the nemesis does to a cluster of processes: signals, cuts, a full disk, damaged files.

Rules for whoever edits this: only the nemesis's thread calls it. The node whose disk is small and the one whose files
are damaged are chosen once, for the whole run.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from random import Random

from clusters import Cluster, Node

from tests.chaos.nemesis import Fault, NotNow
from tests.chaos.proxy import CLIENTS, Edge, Network, both_ways

SLOW_SECONDS = (0.02, 0.15)
FLIPS_MAX = 8
SMALL_DISK_MB = 1024
MOUNT_SECONDS = 10
RESTART_SECONDS = 120

Undo = Callable[[], None]


class ClusterWorld:
    """A cluster whose nodes reach each other, and are reached by clients, through a network that can be cut.

    Args:
        topic: whose leaders are the ones hit.
        small: the node whose data lies on a disk of its own; None where there is none.
        damaged: the node whose files may be damaged.
    """

    def __init__(self, cluster: Cluster, network: Network, topic: str, small: int | None, damaged: int) -> None:
        self._cluster, self._network, self._topic = cluster, network, topic
        self._small, self._damaged = small, damaged
        self._killed: set[int] = set()

    def inflict(self, fault: Fault, random: Random) -> tuple[str, Undo]:
        """Do it; what was done, and how to undo it. Raises: NotNow."""
        inflict = {
            "kill": self._kill,
            "pause": self._pause,
            "partition": self._partition,
            "slow": self._slow,
            "disk": self._fill,
            "damage": self._damage,
        }[fault.kind]
        return inflict(fault.how, random)

    def mend(self) -> list[str]:
        """Undo whatever is left, start who is down; who had ended unasked."""
        self._network.heal()
        self._empty()
        ended = []
        for node in self._cluster.nodes.values():
            node.resume()
            if not node.running:
                if node.id not in self._killed:
                    ended.append(f"node {node.id} had ended: {node.said()[-600:]}")
                node.start()
        self._killed.clear()
        return ended

    def _node(self, role: str, random: Random) -> Node:
        """One that plays this role now. Raises: NotNow."""
        if role == "controller":
            found = self._cluster.controller()
        else:
            leaders = self._cluster.leaders(self._topic)
            partition = random.choice(sorted(leaders)) if leaders else 0
            found = leaders.get(partition)
            if role == "follower" and found is not None and len(self._cluster.nodes) > 1:
                found = random.choice([n for n in self._cluster.nodes if n != found])
        if found is None:
            raise NotNow(f"nobody says who the {role} is")
        return self._cluster.nodes[found]

    def _kill(self, how: str, random: Random) -> tuple[str, Undo]:
        nodes = list(self._cluster.nodes.values()) if how == "all" else [self._node(how, random)]
        for node in nodes:
            self._killed.add(node.id)
            node.kill()
        return f"nodes {[n.id for n in nodes]}", lambda: self._start(nodes)

    def _start(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if not node.running:
                node.start()
            self._killed.discard(node.id)

    def _pause(self, how: str, random: Random) -> tuple[str, Undo]:
        node = self._node(how, random)
        if not node.running or node.paused:
            raise NotNow(f"{node} can't be paused")
        node.pause()
        return f"node {node.id}", node.resume

    def _partition(self, how: str, random: Random) -> tuple[str, Undo]:
        one = self._node("leader", random).id
        others = [n for n in self._cluster.nodes if n != one]
        other = random.choice(others) if others else CLIENTS
        edges: dict[str, frozenset[Edge]] = {
            "leader-isolated": both_ways([one], [CLIENTS, *others]),
            "leader-from-peers": both_ways([one], others),
            "leader-deaf": frozenset((n, one) for n in others),
            "pair-both-ways": both_ways([one], [other]),
            "pair-one-way": frozenset([random.choice([(one, other), (other, one)])]),
            "clients-from-leader": both_ways([one], [CLIENTS]),
        }
        cut = edges[how]
        self._network.cut(cut)
        return f"node {one}, {len(cut)} edges", lambda: self._network.heal(cut)

    def _slow(self, how: str, random: Random) -> tuple[str, Undo]:
        nodes, seconds = list(self._cluster.nodes), random.uniform(*SLOW_SECONDS)
        edges = both_ways(nodes, nodes if how == "peers" else [CLIENTS])
        self._network.slow(edges, seconds)
        return f"by {seconds * 1000:.0f} ms", lambda: self._network.heal(edges)

    def _ballast(self) -> Path:
        assert self._small is not None, "no node has a small disk"
        return self._cluster.nodes[self._small].disk / "ballast"

    def _fill(self, how: str, random: Random) -> tuple[str, Undo]:
        ballast = self._ballast()
        left = os.statvfs(ballast.parent)
        with ballast.open("wb") as out, suppress(OSError):
            os.posix_fallocate(out.fileno(), 0, left.f_bavail * left.f_frsize)
        return f"node {self._small}", self._empty

    def _empty(self) -> None:
        if self._small is not None:
            self._ballast().unlink(missing_ok=True)

    def _damage(self, how: str, random: Random) -> tuple[str, Undo]:
        node = self._cluster.nodes[self._damaged]
        closed = closed_segments(node.data, self._topic)
        if not closed:
            raise NotNow("no segment is closed")
        if how == "stopped":
            self._killed.add(node.id)
            node.kill()
        segment = random.choice(closed)
        flipped = flip(segment, random)
        return f"node {node.id}, {flipped} bytes of {segment.parent.name}/{segment.name}", lambda: self._start([node])


def closed_segments(data: Path, topic: str) -> list[Path]:
    """Of each of the topic's partitions, all but the last."""
    partitions = sorted(p for p in data.rglob(f"{topic}-*") if p.is_dir())
    return [segment for p in partitions for segment in sorted(p.glob("*.log"))[:-1]]


def flip(segment: Path, random: Random) -> int:
    """A bit in each of a few bytes; in how many."""
    size, flips = segment.stat().st_size, random.randint(1, FLIPS_MAX)
    with segment.open("r+b") as file:
        for _ in range(flips):
            at = random.randrange(size)
            file.seek(at)
            (old,) = file.read(1)
            file.seek(at)
            file.write(bytes([old ^ 1 << random.randrange(8)]))
    return flips


def mount_small_disk(node: Node) -> str:
    """A disk of its own for a node's data; an empty reason, or why there is none. Needs to be root."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MB}m", "streamflow-chaos", str(node.disk)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOUNT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        return f"no disk of its own could be mounted: {failed}"
    return "" if done.returncode == 0 else f"no disk of its own could be mounted: {done.stderr.strip()}"


def unmount_small_disk(node: Node) -> None:
    """Its process has ended. Raises: subprocess.CalledProcessError."""
    until = time.monotonic() + MOUNT_SECONDS
    while subprocess.run(
        ["umount", str(node.disk)], capture_output=True, timeout=MOUNT_SECONDS, check=False
    ).returncode:
        if time.monotonic() > until:
            subprocess.run(["umount", "--lazy", str(node.disk)], check=True, timeout=MOUNT_SECONDS)
            return
        time.sleep(0.2)
