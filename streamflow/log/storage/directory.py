"""A data directory: one process at a time, a format this version knows, and whether the last stop was clean.

    streamflow.json     the format's version; written once
    lock                held (flock) while a process has the directory open; it names the process
    clean               there only between a clean stop and the next start

Promises: the lock goes with the process, however it ends. A directory of a newer format, or one that can't be
written, is left exactly as it was found.
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
    """What `streamflow.json` says."""

    format: int
    written_by: str = "streamflow"


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
    def open(cls, path: Path) -> DataDirectory:
        """Opens the directory, or creates it.

        Raises: DirectoryInUseError, UnsupportedFormatError, DirectoryError.
        """
        files = DiskFiles(path)
        files.make_root()
        lock = _take_lock(path)
        try:
            _check_format(path, files)
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


def _check_format(path: Path, files: DiskFiles) -> None:
    data = files.read(_ABOUT)
    if data is None:
        files.replace(_ABOUT, msgspec.json.encode(About(format=FORMAT)))
        return
    try:
        about = msgspec.json.decode(data, type=About)
    except msgspec.DecodeError as error:
        raise DirectoryError(
            f"{path / _ABOUT} can't be read ({error}); nothing was changed. If this is a log's directory, write "
            f'{{"format": {FORMAT}}} to it'
        ) from error
    if about.format > FORMAT:
        raise UnsupportedFormatError(
            f"{path} was written in format {about.format} by {about.written_by}, this version knows up to {FORMAT}; "
            "upgrade streamflow-log. Nothing was changed"
        )
