"""What the type checker is told of the messages is what they are."""

from __future__ import annotations

from pathlib import Path

from streamflow.log.protocol import messages, stubs


def test_the_stub_is_what_is_written_from_the_schemas() -> None:
    stub = Path(messages.__file__).with_suffix(".pyi").read_text()
    assert stub == "\n".join(stubs.lines()) + "\n", "make it anew: see the head of stubs.py"
