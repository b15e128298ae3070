"""Where results go; one file a system. `sf.sinks.DuckDB` and its kin are imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamflow.sinks.duckdb import DuckDB as DuckDB

__all__ = ["DuckDB"]


def __getattr__(name: str) -> object:
    if name == "DuckDB":
        from streamflow.sinks.duckdb import DuckDB

        return DuckDB
    raise AttributeError(f"no sink '{name}'; there is: {', '.join(__all__)}")
