"""Ports of the local cluster: held from the moment of the choice until the cluster ends.

On Linux a socket that is bound and does not listen keeps its port away from everybody who asks for
any free one, from outgoing connections and from other clusters, while a process that names the port
can listen beside it (both with ``SO_REUSEADDR``). Elsewhere such a process would be refused, so
there a port is chosen and let go.
"""

import errno
import socket
import sys
from typing import Final, Self

from genro_wopi.dev.errors import DevError
from genro_wopi.runtime.lifecycle import EXIT_CONFIGURATION

LOOPBACK: Final = "127.0.0.1"
CAN_HOLD: Final = sys.platform == "linux"


class Ports:
    """Ports that this cluster's processes listen at."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._held:
            sock.close()

    def claim(self, port: int) -> None:
        """Take the port that people were told.

        Raises:
            DevError: it is in use, or this machine does not have the address.
        """
        try:
            sock = _bound(self._host, port)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise self._no_address(error) from error
            raise DevError(
                f"port {port} is in use ({error.strerror}); choose another one with --port"
                if error.errno == errno.EADDRINUSE
                else f"port {port} needs more rights ({error.strerror}); choose one above 1023 with"
                " --port"
            ) from error
        self._keep(sock)

    def any(self) -> int:
        """Take a free port of the host."""
        return self._any(self._host)

    def any_of_loopback(self) -> int:
        """Take a free port that only this machine reaches."""
        return self._any(LOOPBACK)

    def _any(self, host: str) -> int:
        try:
            sock = _bound(host, 0)
        except OSError as error:
            raise self._no_address(error) from error
        port = int(sock.getsockname()[1])
        self._keep(sock)
        return port

    def _no_address(self, error: OSError) -> DevError:
        return DevError(
            f"this machine cannot listen at {self._host} ({error.strerror or error}); choose"
            " another address with --host",
            EXIT_CONFIGURATION,
        )

    def _keep(self, sock: socket.socket) -> None:
        if CAN_HOLD:
            self._held.append(sock)
        else:
            sock.close()


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
