"""Run an app on virtual time, with no I/O: `sf.testing.TestApp`."""

from __future__ import annotations

from streamflow.testing.app import TestApp

__all__ = ["TestApp"]
