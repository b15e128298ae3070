"""The only place that touches the file system: every pread, pwrite, fsync, rename and unlink of the log is here. (What
opens and closes is `handles`.)

Promises:

- A failed fsync is never tried again, and nothing is written after it: what the kernel still holds can't be known
  (ATC'20, PostgreSQL's fsyncgate). The log must be opened anew, and checked.
- `replace` is atomic: after a crash a file holds its old bytes or its new ones.
- Errors of the world are `LogError`s that name the path and say what to do.

`MemoryFiles` is a peer of `DiskFiles`, for `memory://`, and the base of the simulated disk that loses power.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from sortedcontainers import SortedDict, SortedSet

from streamflow.log.errors import DirectoryError, LogError, StorageFailedError, StorageFullError
from streamflow.log.storage.handles import Handle, Handles


class File(Protocol):
    """An open file. Offsets and sizes in bytes."""

    path: str

    def read(self, at: int, size: int) -> bytes:
        """Fewer bytes than asked for only at the end."""

    def write(self, at: int, data: bytes | bytearray) -> None:
        """All of it. Raises: StorageFullError, StorageFailedError."""

    def truncate(self, size: int) -> None: ...

    def sync(self) -> None:
        """Raises: StorageFailedError: then nothing of this directory may be written any more."""

    def size(self) -> int: ...

    def close(self) -> None: ...


class Files(Protocol):
    """A directory tree. Paths are relative to its root, with '/'."""

    root: str

    def open(self, path: str) -> File:
        """Opened for reading and writing, created if need be (in an existing directory)."""

    def read(self, path: str, bytes_max: int = -1) -> bytes | None:
        """The file's first bytes, by default all; None when there is none."""

    def size(self, path: str) -> int | None:
        """Of a file, in bytes; None when there is none."""

    def replace(self, path: str, data: bytes) -> None:
        """Atomically and durably."""

    def rename(self, path: str, to: str) -> None:
        """Atomically, and durably once the directory is synced, or another name in it made durable: until then a crash
        may leave either name. A file that was there under the new name is gone."""

    def exists(self, path: str) -> bool: ...

    def names(self, path: str) -> list[str]:
        """What a directory holds, sorted; nothing when it doesn't exist."""

    def make_directory(self, path: str) -> None:
        """With its parents, durably."""

    def remove(self, path: str) -> None:
        """A file, or a directory with all in it, durably; nothing when it doesn't exist."""

    def sync_directory(self, path: str) -> None:
        """Makes names created or removed in it durable."""

    def space(self) -> tuple[int, int]:
        """Bytes of the disk, and those of them that may still be written; -1 each where there is no telling."""


class DiskFiles:
    """A directory of the real file system."""

    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        self.failed: str | None = None
        self.handles = Handles()
        self._synced: set[str] = set()
        """Directories whose names, as they were found, were made durable."""

    def _at(self, path: str) -> str:
        return os.path.join(self.root, path) if path else self.root

    @contextmanager
    def guarded(self, what: str, path: str) -> Iterator[None]:
        """Maps what the system says to what the log says."""
        if self.failed is not None:
            raise StorageFailedError(f"{self.failed}; stop the process, look at the disk, and start it again")
        try:
            yield
        except OSError as error:
            raise _mapped(error, what, self._at(path)) from error

    def fail(self, path: str, error: OSError) -> StorageFailedError:
        """An fsync failed: from now on nothing is done here any more."""
        self.failed = f"fsync of {self._at(path)} failed ({error.strerror})"
        return StorageFailedError(
            f"{self.failed}: what is on disk isn't known any more. Nothing further is written; stop the process, look "
            "at the disk, and start it again: the log is checked then"
        )

    def make_root(self) -> None:
        """The root with its parents, durably: a log whose directory a power cut takes was acknowledged for nothing."""
        with self.guarded("create", ""):
            root = Path(self.root).absolute()
            missing = [p for p in (root, *root.parents) if not p.exists()]
            root.mkdir(parents=True, exist_ok=True)
            for made in missing:
                _sync_directory(str(made.parent))

    def open(self, path: str) -> DiskFile:
        with self.guarded("open", path):
            return DiskFile(self, path, self.handles.create(self._at(path)))

    def read(self, path: str, bytes_max: int = -1) -> bytes | None:
        with self.guarded("read", path):
            try:
                with open(self._at(path), "rb") as file:
                    return file.read(bytes_max)
            except FileNotFoundError:
                return None

    def size(self, path: str) -> int | None:
        with self.guarded("look at", path):
            try:
                return os.stat(self._at(path)).st_size
            except FileNotFoundError:
                return None

    def replace(self, path: str, data: bytes) -> None:
        temporary = f"{path}.tmp"
        file = self.open(temporary)
        try:
            file.truncate(0)
            file.write(0, data)
            file.sync()
        except StorageFullError:
            with suppress(OSError):  # It takes of what there is too little of; left there, it does no harm else.
                os.unlink(self._at(temporary))
            raise
        finally:
            file.close()
        with self._naming("replace", path):
            os.replace(self._at(temporary), self._at(path))

    def rename(self, path: str, to: str) -> None:
        with self.guarded("rename", path):
            os.replace(self._at(path), self._at(to))

    def exists(self, path: str) -> bool:
        return os.path.exists(self._at(path))

    def names(self, path: str) -> list[str]:
        with self.guarded("list", path):
            try:
                return sorted(os.listdir(self._at(path)))
            except FileNotFoundError:
                return []

    def make_directory(self, path: str) -> None:
        """A name that was there may never have been made durable: once a run, each directory above is synced."""
        chain = [path]
        while chain[-1]:
            chain.append(os.path.dirname(chain[-1]))
        with self.guarded("create", path):
            missing = {name for name in chain if not os.path.isdir(self._at(name))}
            os.makedirs(self._at(path), exist_ok=True)
        for name, parent in pairwise(chain):
            if name in missing or parent not in self._synced:
                self.sync_directory(parent)
                self._synced.add(parent)

    def remove(self, path: str) -> None:
        full = self._at(path)
        if not os.path.exists(full):
            return
        with self._naming("delete", path):
            if os.path.isdir(full):
                shutil.rmtree(full)
            else:
                os.unlink(full)

    def sync_directory(self, path: str) -> None:
        """A directory that can't be opened wasn't synced, and may be yet: only an fsync that failed is final."""
        with self._naming("sync", f"{path}/" if path else path):
            pass

    @contextmanager
    def _naming(self, what: str, path: str) -> Iterator[None]:
        """Changes what a name in a directory stands for, durably. The directory is opened before: a name that couldn't
        be made durable afterwards isn't changed."""
        parent = os.path.dirname(path)
        with self.guarded(what, path):
            handle = os.open(self._at(parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                yield
                try:
                    os.fsync(handle)
                except OSError as error:
                    raise self.fail(parent, error) from error
            finally:
                os.close(handle)

    def space(self) -> tuple[int, int]:
        try:
            disk = os.statvfs(self.root)
        except OSError:
            return -1, -1
        return disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize


class DiskFile:
    def __init__(self, files: DiskFiles, path: str, handle: Handle) -> None:
        self.path = path
        self._files = files
        self._handle = handle

    @contextmanager
    def _using(self, what: str) -> Iterator[int]:
        handles = self._files.handles
        with self._files.guarded(what, self.path):
            number = handles.take(self._handle)
            try:
                yield number
            finally:
                handles.give_back(self._handle)

    def read(self, at: int, size: int) -> bytes:
        with self._using("read") as number:
            return os.pread(number, size, at)

    def write(self, at: int, data: bytes | bytearray) -> None:
        with self._using("write") as number:
            try:
                done = os.pwrite(number, data, at)
                while done < len(data):
                    done += os.pwrite(number, memoryview(data)[done:], at + done)
            finally:
                self._handle.changed()

    def truncate(self, size: int) -> None:
        with self._using("truncate") as number:
            try:
                os.ftruncate(number, size)
            finally:
                self._handle.changed()

    def sync(self) -> None:
        with self._using("sync") as number:
            changes = self._handle.changes
            try:
                os.fsync(number)
            except OSError as error:
                raise self._files.fail(self.path, error) from error
            self._handle.synced(changes)

    def size(self) -> int:
        with self._using("look at") as number:
            return os.fstat(number).st_size

    def close(self) -> None:
        self._files.handles.close(self._handle)


def _mapped(error: OSError, what: str, path: str) -> LogError:
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFullError(
            f"can't {what} {path}: {reason}. Nothing acknowledged is lost; free some space, or shorten retention"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return DirectoryError(f"can't {what} {path}: {reason}; choose a directory that this user may write")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return DirectoryError(f"can't {what} {path}: {reason}; let the process open more files (ulimit -n)")
    return StorageFailedError(f"can't {what} {path}: {reason}; look at the disk")


def _sync_directory(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class MemoryFiles:
    """Files in RAM. `sync` does nothing: there is no power to lose."""

    def __init__(self) -> None:
        self.root = "memory"
        self.content: dict[str, bytearray] = SortedDict()
        self.directories: set[str] = SortedSet([""])

    def open(self, path: str) -> MemoryFile:
        self.content.setdefault(path, bytearray())
        return MemoryFile(self, path)

    def read(self, path: str, bytes_max: int = -1) -> bytes | None:
        data = self.content.get(path)
        return None if data is None else bytes(data if bytes_max < 0 else data[:bytes_max])

    def size(self, path: str) -> int | None:
        return len(self.content[path]) if path in self.content else None

    def replace(self, path: str, data: bytes) -> None:
        self.content[path] = bytearray(data)

    def rename(self, path: str, to: str) -> None:
        self.content[to] = self.content.pop(path)

    def exists(self, path: str) -> bool:
        return path in self.content or path in self.directories

    def names(self, path: str) -> list[str]:
        start = len(path) + 1 if path else 0
        return sorted({p[start:].split("/", 1)[0] for p in self._inside(path)})

    def _inside(self, path: str) -> list[str]:
        """Every file and directory below, found without a look at the others."""
        first, after = (f"{path}/", f"{path}0") if path else ("\0", None)  # "0" follows "/".
        found: list[str] = []
        paths: Any  # What is sorted has more to offer than a dictionary or a set, which is all that others may use.
        for paths in (self.content, self.directories):
            found += paths.irange(first, after, (True, False))
        return found

    def make_directory(self, path: str) -> None:
        parts = path.split("/")
        self.directories.update("/".join(parts[: n + 1]) for n in range(len(parts)))

    def remove(self, path: str) -> None:
        for known in (path, *self._inside(path)):
            self.content.pop(known, None)
            self.directories.discard(known)

    def sync_directory(self, path: str) -> None:
        pass

    def space(self) -> tuple[int, int]:
        return -1, -1


class MemoryFile:
    def __init__(self, files: MemoryFiles, path: str) -> None:
        self.path = path
        self._data = files.content[path]

    def read(self, at: int, size: int) -> bytes:
        return bytes(memoryview(self._data)[at : at + size])

    def write(self, at: int, data: bytes | bytearray) -> None:
        if at == len(self._data):
            self._data += data
            return
        if at > len(self._data):
            self._data += bytes(at - len(self._data))
        self._data[at : at + len(data)] = data

    def truncate(self, size: int) -> None:
        if size < len(self._data):
            del self._data[size:]
        else:
            self._data += bytes(size - len(self._data))

    def sync(self) -> None:
        pass

    def size(self) -> int:
        return len(self._data)

    def close(self) -> None:
        pass
