import pytest

from streamflow.log.errors import PeerUnreachableError
from streamflow.log.node.peers import Alone

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_node_alone_reaches_nobody() -> None:
    with pytest.raises(PeerUnreachableError, match="node 2"):
        await Alone().ask(2, object(), timeout_ms=100)
