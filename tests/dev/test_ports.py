"""Ports of a local cluster: kept from the choice to the end, shared only with its own processes."""

import socket
import sys

import pytest

from genro_wopi.dev.errors import DevError
from genro_wopi.dev.ports import Ports

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ports can be held on Linux only")

HOST = "127.0.0.1"


def listening(port: int) -> socket.socket:
    return socket.create_server((HOST, port))


def test_a_process_can_listen_at_a_port_that_is_held() -> None:
    with Ports(HOST) as ports:
        port = ports.any()
        with listening(port), socket.create_connection((HOST, port)):
            pass
        with listening(port), socket.create_connection((HOST, port)):
            pass  # As after a crash.


def test_nobody_else_gets_a_port_that_is_held() -> None:
    with Ports(HOST) as ports, Ports(HOST) as others:
        own = {ports.any() for _ in range(50)}
        assert not own & {others.any() for _ in range(500)}
        outgoing: set[int] = set()
        with listening(0) as server:
            for _ in range(200):
                with socket.create_connection(server.getsockname()) as sock:
                    outgoing.add(sock.getsockname()[1])
                    server.accept()[0].close()
        assert not own & outgoing


def test_a_port_is_free_again_afterwards() -> None:
    with Ports(HOST) as ports:
        port = ports.any()
    with Ports(HOST) as ports:
        ports.claim(port)


def test_a_port_at_which_somebody_listens_is_refused() -> None:
    with (
        listening(0) as taken,
        Ports(HOST) as ports,
        pytest.raises(DevError, match="is in use"),
    ):
        ports.claim(taken.getsockname()[1])
