"""The DuckDB sink's own promises; what every sink promises is in tests/conformance/sinks."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamflow
from streamflow.errors import ConfigError, SinkError
from streamflow.event import Batch, TopicPartition
from streamflow.sinks.base import SinkBatch
from streamflow.sinks.duckdb import DuckDB

P0 = TopicPartition("out", 0)


class Reading(msgspec.Struct):
    sensor: str
    value: float | None = None


class Place(msgspec.Struct):
    lat: float
    lon: float


def batch(
    rows: list[Any], start: int = 0, *, partition: TopicPartition = P0, keys: list[Any] | None = None
) -> SinkBatch:
    columns = Batch(keys or [None] * len(rows), rows, [0] * len(rows), range(start, start + len(rows)))
    return SinkBatch(partition, columns, start + len(rows))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.duckdb"


Opened = Callable[..., DuckDB]


@pytest.fixture
def opened(path: Path) -> Iterator[Opened]:
    sinks: list[DuckDB] = []

    def make(value_type: Any = Any, table: str = "t", **options: Any) -> DuckDB:
        for sink in sinks:
            sink.close()
        sink = DuckDB(path, table, **options)
        sink.open(value_type)
        sinks.append(sink)
        return sink

    yield make
    for sink in sinks:
        sink.close()


def query(path: Path, sql: str) -> list[Any]:
    with duckdb.connect(str(path)) as connection:
        return connection.execute(sql).fetchall()


def test_every_type_comes_back_as_it_was_written(opened: Opened, path: Path) -> None:
    class Everything(msgspec.Struct):
        yes: bool
        n: int
        x: float
        text: str
        raw: bytes
        at: datetime
        day: date
        hour: time
        took: timedelta
        price: Decimal
        ident: UUID
        names: list[str | None]
        grid: list[list[int]]
        place: Place | None
        tags: dict[str, int]

    row = Everything(
        yes=True,
        n=-(2**63),
        x=0.1,
        text="a\0b'\"é😀",
        raw=b"\0\xff",
        at=datetime(2013, 1, 1, 1, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-5))),
        day=date(2013, 1, 1),
        hour=time(23, 59, 59, 999999),
        took=timedelta(days=400, microseconds=-1),
        price=Decimal("12345678901234567890.000000001"),
        ident=UUID(int=2**128 - 1),
        names=["a", None, ""],
        grid=[[1], []],
        place=Place(1.5, 2.5),
        tags={"b": 2, "a": 1},
    )
    opened(Everything).write([batch([row])])
    assert query(path, "FROM t") == [
        (
            True,
            -(2**63),
            0.1,
            "a\0b'\"é😀",
            b"\0\xff",
            datetime(2013, 1, 1, 6, 30, 0, 123456),  # in UTC
            date(2013, 1, 1),
            time(23, 59, 59, 999999),
            timedelta(days=400, microseconds=-1),
            Decimal("12345678901234567890.000000001"),
            UUID(int=2**128 - 1),
            ["a", None, ""],
            [[1], []],
            '{"lat":1.5,"lon":2.5}',
            '{"a":1,"b":2}',
        )
    ]
    assert query(path, "SELECT (place->>'lat')::DOUBLE FROM t") == [(1.5,)]


def test_a_datetime_without_a_zone_is_in_utc(opened: Opened, path: Path) -> None:
    aware = datetime(2013, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    opened().write([batch([{"at": datetime(2013, 1, 1)}, {"at": aware}])])
    assert query(path, "FROM t") == [(datetime(2013, 1, 1),), (datetime(2012, 12, 31, 15),)]


def test_the_time_zone_of_the_machine_changes_nothing(path: Path) -> None:
    run_python(
        f"""
        from datetime import UTC, datetime
        from typing import Any
        from streamflow.event import Batch, TopicPartition
        from streamflow.sinks.base import SinkBatch
        from streamflow.sinks.duckdb import DuckDB
        sink = DuckDB({str(path)!r}, "t")
        sink.open(Any)
        rows = [{{"at": datetime(2013, 1, 1)}}, {{"at": datetime(2013, 1, 1, tzinfo=UTC)}}]
        sink.write([SinkBatch(TopicPartition("out", 0), Batch([None] * 2, rows, [0] * 2, range(2)), 2)])
        """,
        TZ="Asia/Tokyo",
    )
    assert query(path, "FROM t") == [(datetime(2013, 1, 1),)] * 2


def test_a_row_without_values_is_a_row(opened: Opened, path: Path) -> None:
    sink = opened()
    sink.write([batch([{"a": None, "b": 1}, {}, {"b": None}])])
    assert query(path, "FROM t") == [(1,), (None,), (None,)]


def test_names_with_quotes_and_semicolons_are_only_names(opened: Opened, path: Path) -> None:
    odd = 'x"; DROP TABLE "t"; --'
    opened(table=odd, key=odd, name="odd").write([batch([{odd: "a'b", "select": 1}])])
    sink = opened(table=odd, key=odd, name="odd")
    sink.write([batch([{odd: "a'b", "select": 2}], 1)])
    assert query(path, 'FROM "x""; DROP TABLE ""t""; --"') == [("a'b", 2)]


class TestGrowth:
    """A table gains columns and loses none."""

    def test_a_new_field_of_untyped_rows_becomes_a_column(self, opened: Opened, path: Path) -> None:
        sink = opened()
        sink.write([batch([{"a": 1}])])
        sink.write([batch([{"a": 2, "b": "x"}, {"b": "y"}], 1)])
        assert query(path, "FROM t") == [(1, None), (2, "x"), (None, "y")]

    def test_a_new_field_of_a_record_becomes_a_column(self, opened: Opened, path: Path) -> None:
        old = msgspec.defstruct("Old", [("a", int)])
        new = msgspec.defstruct("New", [("a", int), ("b", str)])
        opened(old, key="a").write([batch([old(1)])])
        opened(new, key="a").write([batch([new(2, "x")], 1)])
        assert query(path, "FROM t ORDER BY a") == [(1, None), (2, "x")]

    def test_a_field_that_is_gone_leaves_its_column(self, opened: Opened, path: Path) -> None:
        opened().write([batch([{"a": 1, "b": 2}])])
        opened().write([batch([{"a": 3}], 1)])
        assert query(path, "FROM t") == [(1, 2), (3, None)]

    def test_columns_the_user_added_are_left_alone(self, opened: Opened, path: Path) -> None:
        opened(Reading, key="sensor").write([batch([Reading("a", 1.0)])])
        opened(Reading, key="sensor").close()
        query(path, "ALTER TABLE t ADD COLUMN note VARCHAR")
        query(path, "UPDATE t SET note = 'mine'")
        opened(Reading, key="sensor").write([batch([Reading("a", 2.0)], 1)])
        assert query(path, "FROM t") == [("a", 2.0, "mine")]


class TestRefusals:
    """What can't be stored is an error that says what, where and why, and leaves nothing behind."""

    def test_an_existing_column_of_another_type(self, opened: Opened, path: Path) -> None:
        query(path, "CREATE TABLE t (sensor VARCHAR, value VARCHAR)")
        with pytest.raises(SinkError, match=r"column 'value' of table 't' should be DOUBLE but is VARCHAR"):
            opened(Reading)

    def test_a_view(self, opened: Opened, path: Path) -> None:
        query(path, "CREATE VIEW t AS SELECT 1 AS sensor")
        with pytest.raises(SinkError, match="'t' is a view"):
            opened(Reading)

    def test_a_table_without_the_key(self, opened: Opened, path: Path) -> None:
        query(path, "CREATE TABLE t (sensor VARCHAR, value DOUBLE)")
        with pytest.raises(SinkError, match=r'has no PRIMARY KEY \("sensor"\)'):
            opened(Reading, key="sensor")

    @pytest.mark.parametrize(
        ("first", "second", "says"),
        [
            (1, 2.5, r"column 'x' is BIGINT and can't hold 2.5 \(float\), the value at offset 2 of out-0"),
            (1, "2", r"column 'x' is BIGINT and can't hold '2' \(str\), the value at offset 2 of out-0"),
            (
                1,
                2**63,
                r"column 'x' is BIGINT and can't hold 9223372036854775808 \(int\), the value at offset 2",
            ),
            ("a", "\ud800", r"column 'x' is VARCHAR and can't hold '\\ud800' \(str\), the value at offset 2"),
            (
                Decimal(1),
                Decimal("1e30"),
                r"column 'x' is DECIMAL\(38,9\) and can't hold Decimal\('1E\+30'\)",
            ),
        ],
    )
    def test_a_value_of_another_type(self, opened: Opened, path: Path, first: Any, second: Any, says: str) -> None:
        sink = opened()
        sink.write([batch([{"x": first}])])
        with pytest.raises(SinkError, match=says):
            sink.write([batch([{"x": first, "new": 1}, {"x": second, "new": 2}, {"x": first}], 1)])
        assert sink.offsets() == {P0: 1}
        sink.write([batch([{"x": first, "new": 3}], 1)])
        sink.close()
        assert query(path, "FROM t") == [(first, None), (first, 3)]

    def test_the_very_first_row(self, opened: Opened, path: Path) -> None:
        sink = opened()
        with pytest.raises(SinkError, match="column 'x'"):
            sink.write([batch([{"x": 2**63}])])
        sink.write([batch([{"x": "another type, since there is no table yet"}])])
        sink.close()
        assert query(path, "SELECT count(*) FROM t") == [(1,)]

    def test_a_row_of_another_type(self, opened: Opened) -> None:
        with pytest.raises(SinkError, match="the row at offset 1 of out-0 is a dict, not the Reading"):
            opened(Reading).write([batch([Reading("a"), {"sensor": "b"}])])

    def test_a_row_that_is_no_record(self, opened: Opened) -> None:
        with pytest.raises(SinkError, match="the row at offset 1 of out-0 is a int, which has no fields"):
            opened().write([batch([{"a": 1}, 2])])

    def test_rows_that_never_had_a_value(self, opened: Opened) -> None:
        sink = opened()
        with pytest.raises(SinkError, match="no field with a value"):
            sink.write([batch([{"a": None}])])
        assert sink.offsets() == {}

    def test_a_none_without_a_key(self, opened: Opened) -> None:
        with pytest.raises(SinkError, match="offset 1 of out-0 is None; give the sink a key="):
            opened(Reading).write([batch([Reading("a"), None])])

    def test_fields_that_differ_in_case_only(self, opened: Opened) -> None:
        with pytest.raises(SinkError, match="'a' and 'A' are one column"):
            opened().write([batch([{"a": 1}, {"A": 1}])])

    def test_a_field_name_that_is_no_text(self, opened: Opened) -> None:
        with pytest.raises(SinkError, match="1 can't name a column"):
            opened().write([batch([{1: 1}])])

    def test_a_missing_directory(self, tmp_path: Path) -> None:
        with pytest.raises(SinkError, match="directory doesn't exist"):
            DuckDB(tmp_path / "no" / "x.duckdb", "t").open(Reading)

    def test_a_file_of_something_else(self, path: Path) -> None:
        path.write_text("not a database, and long enough to have a header" * 10)
        with pytest.raises(SinkError, match="not a valid DuckDB database"):
            DuckDB(path, "t").open(Reading)

    def test_writing_before_opening(self, path: Path) -> None:
        with pytest.raises(SinkError, match="isn't open"):
            DuckDB(path, "t").write([])

    @pytest.mark.parametrize("key", ["nosuch", "value"])
    def test_a_key_that_can_be_none(self, path: Path, key: str) -> None:
        with pytest.raises(ConfigError, match=f"key '{key}'"):
            DuckDB(path, "t", key=key).open(Reading)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"path": "", "table": "t"},
            {"path": ":memory:", "table": "t"},
            {"path": "x.duckdb", "table": ""},
            {"path": "x.duckdb", "table": "_streamflow_offsets"},
            {"path": "x.duckdb", "table": "t", "name": "a b"},
            {"path": "x.duckdb", "table": "t", "name": ""},
            {"path": "x.duckdb", "table": "t" * 200},
        ],
    )
    def test_arguments_that_cannot_be_meant(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(ConfigError):
            DuckDB(**arguments)


def test_the_name_is_made_of_file_and_table_in_the_characters_of_a_topic() -> None:
    assert DuckDB("/data/card fraud.duckdb", "by hour").name == "duckdb-card-fraud-by-hour"
    assert DuckDB("x.duckdb", "t", name="mine").name == "mine"


class TestKeys:
    """With a key a row replaces, and None deletes."""

    def test_the_last_row_of_a_key_wins_within_a_write_and_across(self, opened: Opened, path: Path) -> None:
        sink = opened(Reading, key="sensor")
        sink.write([batch([Reading("a", 1), Reading("b", 2), Reading("a", 3)])])
        sink.write([batch([Reading("b", 4), Reading("c", 5)], 3)])
        sink.close()
        assert query(path, "FROM t ORDER BY sensor") == [("a", 3), ("b", 4), ("c", 5)]

    def test_none_deletes_and_a_later_row_puts_back(self, opened: Opened, path: Path) -> None:
        sink = opened(Reading, key="sensor")
        sink.write([batch([Reading("a", 1), Reading("b", 2), Reading("c", 3)])])
        rows = [None, Reading("b", 4), None, None, Reading("c", 5), None]
        sink.write([batch(rows, 3, keys=["a", None, "b", "c", None, b"new"])])
        sink.close()
        assert query(path, "FROM t") == [("c", 5)]

    def test_none_before_there_is_a_table(self, opened: Opened, path: Path) -> None:
        sink = opened(key="sensor")
        sink.write([batch([None], keys=["a"])])
        sink.write([batch([{"sensor": "b"}], 1)])
        assert sink.offsets() == {P0: 2}

    @pytest.mark.parametrize("deleted", [["a", 1], ("a", 1), {"n": 1, "s": "a"}, (b"a", 1)])
    def test_a_key_of_two_fields(self, opened: Opened, path: Path, deleted: Any) -> None:
        sink = opened(key=("s", "n"))
        sink.write([batch([{"s": "a", "n": 1}, {"s": "a", "n": 2}, {"s": "a", "n": 2}])])
        sink.write([batch([None], 3, keys=[deleted])])
        sink.close()
        assert query(path, "FROM t") == [("a", 2)]

    def test_datetimes_with_and_without_a_zone_are_one_key(self, opened: Opened, path: Path) -> None:
        at = datetime(2013, 1, 1)
        rows = [{"at": at, "n": 1}, {"at": at.replace(tzinfo=UTC), "n": 2}]
        opened(key="at").write([batch(rows)])
        assert query(path, "FROM t") == [(at, 2)]

    def test_a_row_that_is_nothing_but_its_key(self, opened: Opened, path: Path) -> None:
        sink = opened(key="n")
        sink.write([batch([{"n": 1}, {"n": 1}])])
        sink.write([batch([{"n": 1}], 2)])
        sink.close()
        assert query(path, "FROM t") == [(1,)]

    def test_lists_and_json_are_replaced_too(self, opened: Opened, path: Path) -> None:
        row = msgspec.defstruct("R", [("n", int), ("l", list[int]), ("d", dict[str, int])])
        sink = opened(row, key="n")
        for offset in range(3):
            sink.write([batch([row(1, [offset], {"a": offset})], offset)])
        sink.close()
        assert query(path, "FROM t") == [(1, [2], '{"a":2}')]

    @pytest.mark.parametrize(
        ("row", "key", "says"),
        [
            ({"n": None}, None, "offset 1 of out-0 has no key: n is None"),
            (None, "x", r"its key 'x' isn't \(n BIGINT\)"),
            (None, [1, 2], r"its key \[1, 2\] isn't"),
            (None, None, "offset 1 of out-0 has no key"),
        ],
    )
    def test_a_row_without_its_key_is_named(self, opened: Opened, row: Any, key: Any, says: str) -> None:
        with pytest.raises(SinkError, match=says):
            opened(key="n").write([batch([{"n": 1}, row], keys=[None, key])])

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        changes=st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 99)), max_size=30),
        cuts=st.sets(st.integers(0, 30)),
    )
    def test_the_table_is_what_a_dict_would_be(
        self, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int | None]], cuts: set[int]
    ) -> None:
        path = tmp_path_factory.mktemp("law") / "x.duckdb"
        sink = DuckDB(path, "t", key="k")
        sink.open(Any)
        expected: dict[int, int] = {}
        for key, value in changes:
            expected.pop(key, None)
            if value is not None:
                expected[key] = value
        ends = sorted({min(cut, len(changes)) for cut in cuts} | {len(changes)})
        for start, end in zip([0, *ends], ends, strict=False):
            part = changes[start:end]
            rows = [None if value is None else {"k": key, "v": value} for key, value in part]
            sink.write([batch(rows, start, keys=[key for key, _ in part])])
        sink.close()
        if expected:
            assert dict(query(path, "FROM t")) == expected


class TestOneFile:
    """Several sinks, threads and processes at one file."""

    def test_sinks_of_one_file_keep_their_own_offsets(self, path: Path) -> None:
        one, two = DuckDB(path, "one"), DuckDB(path, "two")
        one.open(Reading)
        two.open(Reading)
        one.write([batch([Reading("a")])])
        two.write([batch([Reading("b"), Reading("c")])])
        assert (one.offsets(), two.offsets()) == ({P0: 1}, {P0: 2})
        one.close()
        two.close()
        assert query(path, "SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two)") == [(1, 2)]

    def test_sinks_of_one_file_open_and_write_from_threads_at_once(self, path: Path) -> None:
        def fill(number: int) -> None:
            sink = DuckDB(path, f"t{number}")
            sink.open(Reading)
            for offset in range(20):
                sink.write([batch([Reading("a")], offset)])
            sink.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(fill, range(4)))
        stored = query(path, "SELECT sink, next_offset FROM _streamflow_offsets ORDER BY sink")
        assert stored == [(f"duckdb-rows-t{number}", 20) for number in range(4)]

    def test_a_file_open_in_another_process_names_it(self, path: Path) -> None:
        sink = DuckDB(path, "t")
        sink.open(Reading)
        other = run_python(
            f"""
            from typing import Any
            from streamflow.errors import SinkError
            from streamflow.sinks.duckdb import DuckDB
            try:
                DuckDB({str(path)!r}, "t").open(Any)
            except SinkError as e:
                print(e)
            """
        )
        sink.close()
        assert f"it is open in another process (pid {os.getpid()}, " in other

    def test_a_full_disk_loses_nothing_that_was_written(self, path: Path) -> None:
        """A limit on the file's size stands for the disk's: both fail in write()."""
        said = run_python(
            f"""
            import resource
            from typing import Any
            from streamflow.errors import SinkError
            from streamflow.event import Batch, TopicPartition
            from streamflow.sinks.base import SinkBatch
            from streamflow.sinks.duckdb import DuckDB

            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
            sink = DuckDB({str(path)!r}, "t")
            sink.open(Any)
            n = 500
            for start in range(0, 10**6, n):
                rows = [{{"n": i, "s": f"{{i * 7919 % 1000003}}" * 10}} for i in range(start, start + n)]
                batch = Batch([None] * n, rows, [0] * n, range(start, start + n))
                try:
                    sink.write([SinkBatch(TopicPartition("out", 0), batch, start + n)])
                except SinkError as e:
                    print(start, e)
                    break
            """
        )
        written, _, message = said.partition(" ")
        assert "free some space" in message
        sink = DuckDB(path, "t")
        sink.open(Any)
        kept = sink.offsets()[P0]
        sink.close()
        assert kept >= int(written) > 0
        assert query(path, "SELECT count(*), min(n), max(n) FROM t") == [(kept, 0, kept - 1)]


def run_python(source: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(streamflow.__file__).parents[1]), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
