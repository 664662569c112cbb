"""Runs the demo application: ``python -m demo_app``."""

import os

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

if __name__ == "__main__":
    Server(
        "demo_app.app:create_app",
        factory=True,
        interface=Interfaces.ASGI,
        address="127.0.0.1",
        port=int(os.environ["DEMO_PORT"]),
        log_level=LogLevels.warning,
        websockets=False,
    ).serve()
