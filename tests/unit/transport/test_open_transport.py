from __future__ import annotations

import pytest

from streamflow.errors import ConfigError
from streamflow.transport import open_transport


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("kafka:localhost:9092", "isn't the address of a log; use one of: memory://, log://PATH, kafka://HOST:PORT"),
        ("redis://x", "isn't the address of a log; use one of: memory://, log://PATH"),
        ("./data", "isn't the address of a log"),
        ("log", "isn't the address of a log"),
        ("memory://?flush=maybe", "must be one of"),
    ],
)
def test_an_address_of_no_known_log_is_an_error_that_lists_the_known(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_transport(url)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_log_that_is_not_open_says_so() -> None:
    transport = open_transport("memory://")
    with pytest.raises(ConfigError, match=r"isn't open; call open\(\) first"):
        await transport.topics()
    await transport.close()
