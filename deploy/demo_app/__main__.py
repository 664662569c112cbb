"""Runs the demo application: ``python -m demo_app``."""

import asyncio
import os
import signal

from granian.constants import Interfaces
from granian.server.embed import Server

from demo_app.app import Demo, create_app


async def main() -> None:
    """Serve until SIGTERM."""
    app = create_app()
    server = Server(
        app,
        address="127.0.0.1",
        port=int(os.environ["DEMO_PORT"]),
        interface=Interfaces.ASGI,
        log_enabled=False,
        websockets=False,
    )
    serving = asyncio.ensure_future(server.serve())
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    demo: Demo | None = app.state["demo"]
    if demo is not None:
        demo.end_streams()
    server.stop()
    await asyncio.wait((serving,), timeout=1.0)


if __name__ == "__main__":
    asyncio.run(main())
