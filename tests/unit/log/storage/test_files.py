"""Files on disk and in memory: the same answers, and the disk's failures in the log's words."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import DirectoryError, LogError, StorageFailedError, StorageFullError
from streamflow.log.storage.files import DiskFiles, Files, MemoryFiles


@pytest.fixture(params=["disk", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return DiskFiles(tmp_path) if request.param == "disk" else MemoryFiles()


def failing(number: int) -> Callable[..., int]:
    def call(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return call


def test_what_is_written_is_read_at_its_place(files: Files) -> None:
    file = files.open("a")
    file.write(0, b"hello")
    file.write(5, bytearray(b" world"))
    file.write(0, b"J")
    assert file.read(0, 100) == b"Jello world"
    assert file.read(6, 3) == b"wor"
    assert file.read(11, 5) == b""
    assert file.size() == files.size("a") == 11
    assert files.read("a") == b"Jello world"
    assert files.read("a", 5) == b"Jello"
    file.sync()
    file.close()


def test_a_write_beyond_the_end_leaves_zeros_between(files: Files) -> None:
    file = files.open("a")
    file.write(3, b"x")
    assert file.read(0, 9) == b"\0\0\0x"


def test_a_truncated_file_is_shorter_or_padded(files: Files) -> None:
    file = files.open("a")
    file.write(0, b"abcdef")
    file.truncate(2)
    file.truncate(4)
    assert files.read("a") == b"ab\0\0"


def test_what_is_not_there_is_nothing(files: Files) -> None:
    assert files.read("a") is None
    assert files.size("a") is None
    assert files.names("d") == []
    assert not files.exists("a")
    files.remove("a")


def test_a_file_is_replaced_as_a_whole(files: Files) -> None:
    files.replace("a", b"a long first version")
    files.replace("a", b"second")
    assert files.read("a") == b"second"
    assert files.names("") == ["a"]


def test_a_renamed_file_stands_where_another_was(files: Files) -> None:
    files.replace("a", b"new")
    files.replace("b", b"old")
    files.rename("a", "b")
    assert (files.read("a"), files.read("b"), files.names("")) == (None, b"new", ["b"])


def test_directories_are_made_listed_and_removed_with_all_in_them(files: Files) -> None:
    files.make_directory("d/e")
    files.make_directory("d/e")
    for path in ("d/x", "d/e/y", "d/e/z"):
        files.open(path).close()
    assert files.names("d") == ["e", "x"]
    assert files.names("d/e") == ["y", "z"]
    files.sync_directory("d/e")
    files.remove("d/e")
    assert files.names("d") == ["x"]
    assert files.exists("d/x") and not files.exists("d/e/y")


def test_an_interrupted_write_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda handle, data, at: real(handle, bytes(data)[:3], at))
    file = DiskFiles(tmp_path).open("a")
    file.write(0, b"ten bytes!")
    assert file.read(0, 20) == b"ten bytes!"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_to_be_full_and_is_written_again_once_there_is_room(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = DiskFiles(tmp_path).open("a")
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", failing(number))
        with pytest.raises(StorageFullError, match=rf"can't write {tmp_path}/a: .*free some space"):
            file.write(0, b"x")
    file.write(0, b"x")
    assert file.read(0, 1) == b"x"


@pytest.mark.parametrize("what", ["file", "directory"])
def test_after_a_failed_fsync_nothing_is_written_any_more(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = DiskFiles(tmp_path)
    file = files.open("a")
    file.write(0, b"x")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing(errno.EIO))
        with pytest.raises(StorageFailedError, match=r"fsync of .* failed \(Input/output error\): what is on disk"):
            file.sync() if what == "file" else files.sync_directory("")
    calls: list[Callable[[], object]] = [
        file.sync,
        lambda: file.write(1, b"y"),
        lambda: file.truncate(0),
        lambda: files.replace("b", b""),
        lambda: files.remove("a"),
        lambda: files.make_directory("d"),
        lambda: files.open("c"),
        lambda: files.sync_directory(""),
    ]
    for call in calls:
        with pytest.raises(StorageFailedError, match="start it again"):
            call()
    assert DiskFiles(tmp_path).read("a") == b"x"


@pytest.mark.parametrize(
    ("number", "error", "advice"),
    [
        (errno.EACCES, DirectoryError, "choose a directory that this user may write"),
        (errno.EROFS, DirectoryError, "choose a directory that this user may write"),
        (errno.EMFILE, DirectoryError, "ulimit -n"),
        (errno.EIO, StorageFailedError, "look at the disk"),
    ],
)
def test_each_failure_says_what_to_do(
    number: int, error: type[LogError], advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = DiskFiles(tmp_path)
    monkeypatch.setattr(os, "open", failing(number))
    with pytest.raises(error, match=f"can't open {tmp_path}/a: .*{advice}"):
        files.open("a")


def test_a_read_that_fails_is_never_the_end_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = DiskFiles(tmp_path).open("a")
    file.write(0, b"x")
    monkeypatch.setattr(os, "pread", failing(errno.EIO))
    with pytest.raises(StorageFailedError):
        file.read(0, 1)


def test_a_replace_cut_short_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = DiskFiles(tmp_path)
    files.replace("a", b"old")
    for call in ("pwrite", "fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, failing(errno.EIO))
            with pytest.raises(StorageFailedError):
                DiskFiles(tmp_path).replace("a", b"new")
        assert DiskFiles(tmp_path).read("a") == b"old"


def test_a_replace_is_durable_before_it_is_named_and_so_is_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("pwrite", "fsync", "replace"):

        def call(*args: object, name: str = name, real: Callable[..., object] = getattr(os, name)) -> object:
            done.append(name)
            return real(*args)

        monkeypatch.setattr(os, name, call)
    DiskFiles(tmp_path).replace("a", b"new")
    assert done == ["pwrite", "fsync", "replace", "fsync"]


def test_a_new_root_is_durable_in_each_directory_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    DiskFiles(tmp_path / "x" / "y").make_root()
    assert sorted(synced) == [str(tmp_path), str(tmp_path / "x")]
    DiskFiles(tmp_path / "x" / "y").make_root()
    assert len(synced) == 2


def test_a_disk_tells_its_room_and_memory_has_none_to_tell(tmp_path: Path) -> None:
    total, usable = DiskFiles(tmp_path).space()
    assert 0 < usable <= total
    assert MemoryFiles().space() == DiskFiles(tmp_path / "gone").space() == (-1, -1)


def test_a_name_that_could_not_be_made_durable_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = DiskFiles(tmp_path)
    files.replace("a", b"old")
    files.replace("b", b"other")
    opened = os.open

    def no_directories(path: str, flags: int, *rest: int) -> int:
        if flags & os.O_DIRECTORY:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return opened(path, flags, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", no_directories)
        for change in (
            lambda: files.replace("a", b"new"),
            lambda: files.remove("a"),
            lambda: files.sync_directory(""),
        ):
            with pytest.raises(DirectoryError, match="ulimit -n"):
                change()
    assert (files.read("a"), files.read("b")) == (b"old", b"other")
    files.replace("a", b"new")
    assert files.read("a") == b"new", "nothing is lost by it: it goes on"


def test_a_rename_is_seen_at_once_and_made_durable_by_the_directorys_next_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, synced = DiskFiles(tmp_path), list[int]()
    files.replace("a", b"old")
    files.replace("b", b"new")
    monkeypatch.setattr(os, "fsync", synced.append)
    files.rename("b", "a")
    assert (files.read("a"), files.names(""), synced) == (b"new", ["a"], [])
    files.sync_directory("")
    assert len(synced) == 1
    with pytest.raises(LogError, match="can't rename"):
        files.rename("gone", "a")


def test_a_replace_for_which_there_is_no_space_takes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = DiskFiles(tmp_path)
    files.replace("a", b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", failing(errno.ENOSPC))
        with pytest.raises(StorageFullError):
            files.replace("a", b"new")
    assert (files.read("a"), files.names("")) == (b"old", ["a"])


paths = st.lists(st.sampled_from(["a", "a.b", "a-", "a0", "b"]), min_size=1, max_size=3).map("/".join)


@given(st.lists(paths), paths, st.booleans())
def test_in_memory_too_a_directory_holds_what_is_below_it_and_nothing_of_its_neighbours(
    made: list[str], asked: str, remove: bool
) -> None:
    files = MemoryFiles()
    for path in made:
        files.open(f"{path}/file.log")
        files.make_directory(path)
    if remove:
        files.remove(asked)
        made = [p for p in made if not f"{p}/".startswith(f"{asked}/")]
    inside = {p.removeprefix(f"{asked}/") for p in made if p.startswith(f"{asked}/")}
    wanted = {name.split("/")[0] for name in inside} | ({"file.log"} if asked in made else set())
    assert files.names(asked) == sorted(wanted)
