"""What every client's tests stand on: brokers of one node and of three, names that no other test uses, toolchains or a
reason to skip.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from brokers import STARTS, Broker, Brokers  # noqa: E402
from toolchains import Missing, leave  # noqa: E402
from trios import TRIOS, Killer, Trio, dies_in, start_trio  # noqa: E402

TEST_SECONDS = 60
NAMES = (*STARTS, *TRIOS)

_numbers = count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real processes: slow, apart from the other slow ones, and timed without the start of what they need."""
    left = [item for item in items if on_trio(item) and not dies_in(item.path.stem, base_name(item))]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("slow")
            item.add_marker("clients")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))


def on_trio(item: pytest.Item) -> bool:
    """Whether it is for three nodes."""
    call = getattr(item, "callspec", None)
    return HERE in item.path.parents and call is not None and call.params.get("broker_name") in TRIOS


def base_name(item: pytest.Item) -> str:
    return item.name.partition("[")[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the broker said."""
    report: Any = yield
    broker = getattr(item, "funcargs", {}).get("broker")
    if report.failed and isinstance(broker, Broker | Trio):
        report.sections.append((f"log of {broker.name}", broker.said()))
    return report


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    trios = {name: partial(start_trio, kind) for name, kind in TRIOS.items()}
    running = Brokers(tmp_path_factory.mktemp("brokers"), {**STARTS, **trios})
    yield running
    running.stop()


@pytest.fixture(scope="session", params=NAMES)
def broker_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def broker(brokers: Brokers, broker_name: str) -> Iterator[Broker]:
    """Each broker in turn. It has to outlive the test; of three nodes one is killed in its middle."""
    try:
        running = brokers.get(broker_name)
    except Missing as why:
        leave(str(why))
    if isinstance(running, Trio):
        with Killer(running) as killer:
            yield running
        assert killer.killed, "the test was over before a leader was killed"
    else:
        yield running
    assert running.alive, "the broker died"


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes names for topics, groups and transactions: readable in a log, and nobody else's."""
    test = re.sub(r"[\W_]+", "-", request.node.name.removeprefix("test_"))[:60].strip("-")
    return lambda what: f"{what}-{next(_numbers)}-{test}"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
