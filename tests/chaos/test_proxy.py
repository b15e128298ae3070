"""The network of proxies carries bytes, holds those on a cut edge, and tells by its process who has connected."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import CLIENTS, Door, Network, both_ways

NODE = 1
A_MOMENT = 0.1


@pytest.fixture
def network() -> Iterator[Network]:
    running = Network(dict)
    yield running
    running.close()


@pytest.fixture
def echo() -> Iterator[Door]:
    """A node that says back what it hears, to one after another."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    door, _ = server.accept()
                except OSError:
                    return
                with door:
                    while some := door.recv(100):
                        door.sendall(some)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Door(NODE, "127.0.0.1", server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), 5)


def silent(client: socket.socket) -> bool:
    client.settimeout(A_MOMENT)
    try:
        client.recv(100)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)
    return False


def test_bytes_pass_where_nothing_is_cut(network: Network, echo: Door) -> None:
    with connect(network.listen(echo)) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"


@pytest.mark.parametrize("edge", [(CLIENTS, NODE), (NODE, CLIENTS)], ids=["there", "back"])
def test_bytes_on_a_cut_edge_arrive_when_it_heals(network: Network, echo: Door, edge: tuple[int, int]) -> None:
    with connect(network.listen(echo)) as client:
        network.cut([edge])
        client.sendall(b"hello")
        assert silent(client)
        network.heal([edge])
        assert client.recv(100) == b"hello"


def test_a_connection_over_a_cut_edge_is_silence(network: Network, echo: Door) -> None:
    network.cut(both_ways([CLIENTS], [NODE]))
    with connect(network.listen(echo)) as client:
        client.sendall(b"hello")
        assert silent(client)
        network.heal()
        assert client.recv(100) == b"hello"


def test_edges_that_are_not_cut_go_on(network: Network, echo: Door) -> None:
    network.cut(both_ways([2], [NODE, 3]))
    with connect(network.listen(echo)) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"


def test_a_slow_edge_delivers_late(network: Network, echo: Door) -> None:
    network.slow([(NODE, CLIENTS)], 3 * A_MOMENT)
    with connect(network.listen(echo)) as client:
        client.sendall(b"hello")
        assert silent(client)
        assert client.recv(100) == b"hello"


def test_a_door_behind_which_nobody_is_closes(network: Network) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        door = Door(NODE, "127.0.0.1", gone.getsockname()[1])
    with connect(network.listen(door)) as client:
        assert client.recv(100) == b""


def test_who_connects_is_told_by_the_process_that_holds_the_socket(echo: Door) -> None:
    network = Network(lambda: {7: os.getpid()})
    try:
        network.cut([(7, NODE)])
        with connect(network.listen(echo)) as client:
            client.sendall(b"hello")
            assert silent(client)
            network.heal()
            assert client.recv(100) == b"hello"
    finally:
        network.close()


def test_both_ways_are_all_edges_between_two_sides() -> None:
    assert both_ways([1], [2, 3]) == {(1, 2), (2, 1), (1, 3), (3, 1)}
