"""A data directory: one process, one format, and whether the last stop was clean."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from streamflow.log.errors import DirectoryError, DirectoryInUseError, UnsupportedFormatError
from streamflow.log.storage.directory import DataDirectory


def test_only_a_clean_stop_is_a_clean_stop(tmp_path: Path) -> None:
    def stops() -> list[bool]:
        found = []
        for clean in (True, False, True):
            directory = DataDirectory.open(tmp_path)
            found.append(directory.clean)
            directory.close(clean=clean)
        return found

    assert stops() == [False, True, False]
    assert stops() == [True, True, False]


def test_the_mark_of_a_clean_stop_is_gone_while_the_directory_is_open(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path).close(clean=True)
    directory = DataDirectory.open(tmp_path)
    assert not (tmp_path / "clean").exists()
    directory.close(clean=False)


def test_a_second_opening_is_refused_with_the_process_that_has_it(tmp_path: Path) -> None:
    directory = DataDirectory.open(tmp_path)
    with pytest.raises(DirectoryInUseError, match=rf"in use by process {os.getpid()}: .*Stop that one, or use another"):
        DataDirectory.open(tmp_path)
    directory.close(clean=True)
    DataDirectory.open(tmp_path).close(clean=True)


def test_a_lock_file_left_behind_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999999")
    DataDirectory.open(tmp_path).close(clean=True)


def test_a_newer_format_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path).close(clean=True)
    (tmp_path / "streamflow.json").write_text(json.dumps({"format": 2, "written_by": "streamflow 9.1"}))
    for _ in range(2):
        with pytest.raises(UnsupportedFormatError, match=r"format 2 by streamflow 9\.1, .*up to 1; upgrade"):
            DataDirectory.open(tmp_path)
    assert (tmp_path / "clean").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "x"}'])
def test_a_format_that_cannot_be_read_is_not_taken_for_a_new_directory(tmp_path: Path, content: str) -> None:
    DataDirectory.open(tmp_path).close(clean=True)
    (tmp_path / "streamflow.json").write_text(content)
    with pytest.raises(DirectoryError, match="can't be read"):
        DataDirectory.open(tmp_path)
    assert (tmp_path / "streamflow.json").read_text() == content


ALONE = None


@pytest.mark.parametrize("node_id", [ALONE, 0, 1, 7])
def test_a_directory_stays_with_the_node_that_made_it(tmp_path: Path, node_id: int | None) -> None:
    for _ in range(2):
        DataDirectory.open(tmp_path, node_id).close(clean=True)


@pytest.mark.parametrize(
    ("owner", "opener", "message"),
    [
        (2, 3, r"belongs to node 2 of a cluster, and this is node 3 of a cluster: .*Start it with --node-id 2, or"),
        (0, 1, "Start it with --node-id 0, or give node 1 a directory of its own"),
        (ALONE, 1, "belongs to a node alone, .*decided by that node alone, .*Give the node an empty directory"),
        (1, ALONE, r"Start it as that node \(--node-id 1 --controllers … --peer-listen …\)"),
    ],
)
def test_another_nodes_directory_is_refused_and_left_as_it_is(
    tmp_path: Path, owner: int | None, opener: int | None, message: str
) -> None:
    DataDirectory.open(tmp_path, owner).close(clean=True)
    about = (tmp_path / "streamflow.json").read_bytes()
    for _ in range(2):
        with pytest.raises(DirectoryError, match=message):
            DataDirectory.open(tmp_path, opener)
    assert (tmp_path / "streamflow.json").read_bytes() == about
    assert DataDirectory.open(tmp_path, owner).clean, "it was closed cleanly, and is"


def test_a_directory_from_before_there_were_clusters_is_a_node_alones(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path).close(clean=True)
    (tmp_path / "streamflow.json").write_text('{"format":1,"written_by":"streamflow"}')
    DataDirectory.open(tmp_path).close(clean=True)
    with pytest.raises(DirectoryError, match="belongs to a node alone"):
        DataDirectory.open(tmp_path, 1)


def test_what_would_mend_an_unreadable_format_mends_it(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path, 4).close(clean=True)
    (tmp_path / "streamflow.json").write_text("{")
    with pytest.raises(DirectoryError) as caught:
        DataDirectory.open(tmp_path, 4)
    found = re.search(r"If it belongs to node 4 of a cluster, write (\{.*\}) to it", str(caught.value))
    assert found is not None
    (tmp_path / "streamflow.json").write_text(found[1])
    DataDirectory.open(tmp_path, 4).close(clean=True)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DirectoryError, match=r"can't create .*file/log: Not a directory; choose a directory"):
        DataDirectory.open(tmp_path / "file" / "log")
