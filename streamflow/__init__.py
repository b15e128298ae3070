"""Streamflow: stream processing in Python, with its own durable, Kafka-compatible log.

    import streamflow as sf

The public names, each imported on first use (PEP 562): a broker that imports `streamflow.log` loads no framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamflow import sinks as sinks
    from streamflow import testing as testing
    from streamflow.app import App as App
    from streamflow.app import Feed as Feed
    from streamflow.engine.policies import retry as retry
    from streamflow.engine.policies import skip as skip
    from streamflow.errors import AgentError as AgentError
    from streamflow.errors import AppError as AppError
    from streamflow.errors import ConfigError as ConfigError
    from streamflow.errors import DecodeError as DecodeError
    from streamflow.errors import StreamflowError as StreamflowError
    from streamflow.event import Event as Event
    from streamflow.operators.aggregate import approx_distinct as approx_distinct
    from streamflow.operators.aggregate import collect as collect
    from streamflow.operators.aggregate import count as count
    from streamflow.operators.aggregate import fold as fold
    from streamflow.operators.aggregate import max as max
    from streamflow.operators.aggregate import mean as mean
    from streamflow.operators.aggregate import min as min
    from streamflow.operators.aggregate import sum as sum
    from streamflow.operators.aggregate import top_k as top_k
    from streamflow.operators.join import Joined as Joined
    from streamflow.operators.window import hopping as hopping
    from streamflow.operators.window import tumbling as tumbling
    from streamflow.record import Record as Record
    from streamflow.worker.run import connect as connect
    from streamflow.worker.run import run as run

_HOMES = {
    "streamflow.app": ("App", "Feed"),
    "streamflow.engine.policies": ("retry", "skip"),
    "streamflow.errors": ("AgentError", "AppError", "ConfigError", "DecodeError", "StreamflowError"),
    "streamflow.event": ("Event",),
    "streamflow.operators.aggregate": (
        "approx_distinct",
        "collect",
        "count",
        "fold",
        "max",
        "mean",
        "min",
        "sum",
        "top_k",
    ),
    "streamflow.operators.join": ("Joined",),
    "streamflow.operators.window": ("hopping", "tumbling"),
    "streamflow.record": ("Record",),
    "streamflow.worker.run": ("connect", "run"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
_ROOMS = ("sinks", "testing")

__all__ = [*_HOME_OF, *_ROOMS]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _ROOMS:
        return import_module(f"streamflow.{name}")
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'streamflow' has no attribute '{name}'; it has: {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)
