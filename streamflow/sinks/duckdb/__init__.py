"""The DuckDB sink: rows and the offsets they came from, in one transaction of one file."""

from __future__ import annotations

from streamflow.sinks.duckdb.sink import DuckDB

__all__ = ["DuckDB"]
