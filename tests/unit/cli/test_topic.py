from __future__ import annotations

import pytest

from streamflow.cli.topic import sized


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (5 << 40, "5120.0 GiB"), (-1, "—")],
)
def test_sizes_are_shown_for_people_and_left_out_where_a_cluster_does_not_tell_them(count: int, shown: str) -> None:
    assert sized(count) == shown
