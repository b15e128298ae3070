"""A data directory: one process at a time, one node, a format this version knows, and whether the last stop was clean.

    streamflow.json     the format's version, and which node of a cluster the directory is; written once
    lock                held (flock) while a process has the directory open; it names the process
    clean               there only between a clean stop and the next start

Promises: the lock goes with the process, however it ends. A directory of a newer format, of another node, or one that
can't be written, is left exactly as it was found. A node's directory holds its vote and what it acknowledged as a
replica: under another number both would count twice.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from streamflow.log.errors import DirectoryError, DirectoryInUseError, UnsupportedFormatError
from streamflow.log.storage.files import DiskFiles

FORMAT = 1

_ABOUT = "streamflow.json"
_LOCK = "lock"
_CLEAN = "clean"


class About(msgspec.Struct, kw_only=True):
    """What `streamflow.json` says. `node_id` is None in the directory of a node alone."""

    format: int
    written_by: str = "streamflow"
    node_id: int | None = None


class DataDirectory:
    """Made by `open`. `clean` says whether the last process closed it; `files` is what is inside."""

    def __init__(self, path: Path, files: DiskFiles, lock: int, clean: bool) -> None:
        self.path = path
        self.files = files
        self.clean = clean
        self._lock = lock

    def __repr__(self) -> str:
        return f"<DataDirectory {self.path} {'clean' if self.clean else 'to be checked'}>"

    @classmethod
    def open(cls, path: Path, node_id: int | None = None) -> DataDirectory:
        """Opens the directory, or creates it.

        Args:
            node_id: which node of a cluster opens it; None for a node alone.

        Raises: DirectoryInUseError, UnsupportedFormatError; DirectoryError, also for another node's directory.
        """
        files = DiskFiles(path)
        files.make_root()
        lock = _take_lock(path)
        try:
            _check(path, files, node_id)
            clean = files.exists(_CLEAN)
            files.remove(_CLEAN)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, files, lock, clean)

    def close(self, *, clean: bool) -> None:
        """Gives the directory up. `clean` when everything in it is durable and as it should be.

        Raises: LogError when that can't be noted; the next start then checks the log.
        """
        try:
            if clean:
                self.files.replace(_CLEAN, b"")
        finally:
            os.close(self._lock)


def _take_lock(path: Path) -> int:
    name = path / _LOCK
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DirectoryError(
            f"can't write in {path}: {error.strerror}; choose a directory that this user may write"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise DirectoryInUseError(
            f"{path} is in use by process {holder}: an embedded log has one process at a time. Stop that one, or use "
            "another directory"
        ) from error
    with suppress(OSError):  # The number is a courtesy to who comes second: a full disk mustn't keep the log shut.
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _check(path: Path, files: DiskFiles, node_id: int | None) -> None:
    data = files.read(_ABOUT)
    if data is None:
        files.replace(_ABOUT, msgspec.json.encode(About(format=FORMAT, node_id=node_id)))
        return
    try:
        about = msgspec.json.decode(data, type=About)
    except msgspec.DecodeError as error:
        right = msgspec.json.encode(About(format=FORMAT, node_id=node_id)).decode()
        raise DirectoryError(
            f"{path / _ABOUT} can't be read ({error}); nothing was changed. If it belongs to {_owner(node_id)}, "
            f"write {right} to it"
        ) from error
    if about.format > FORMAT:
        raise UnsupportedFormatError(
            f"{path} was written in format {about.format} by {about.written_by}, this version knows up to {FORMAT}; "
            "upgrade streamflow-log. Nothing was changed"
        )
    if about.node_id != node_id:
        raise DirectoryError(
            f"{path} belongs to {_owner(about.node_id)}, and this is {_owner(node_id)}: "
            f"{_what_to_do(about.node_id, node_id)}. Nothing was changed"
        )


def _owner(node_id: int | None) -> str:
    return "a node alone" if node_id is None else f"node {node_id} of a cluster"


def _what_to_do(owner: int | None, opener: int | None) -> str:
    if owner is None:
        return (
            "its metadata was decided by that node alone, not by the cluster's quorum. Give the node an empty "
            "directory, and copy the topics into the cluster with a consumer and a producer, or a mirror"
        )
    if opener is None:
        return (
            "the other nodes may have more than it holds, and count on what it holds. Start it as that node "
            f"(--node-id {owner} --controllers … --peer-listen …), and read its topics through the cluster"
        )
    return (
        f"it holds node {owner}'s vote and replicas. Start it with --node-id {owner}, or give node {opener} a "
        "directory of its own"
    )
