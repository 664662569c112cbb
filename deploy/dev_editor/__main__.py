"""Runs the dev editor: ``python -m dev_editor``."""

import os

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

if __name__ == "__main__":
    Server(
        "dev_editor.app:create_app",
        factory=True,
        interface=Interfaces.ASGI,
        address="127.0.0.1",
        port=int(os.environ["DEMO_PORT"]),
        log_level=LogLevels.warning,
        websockets=False,
    ).serve()
