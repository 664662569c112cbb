"""A TCP gate before a server of this machine: open, or shut as if the server were gone."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Gate:
    """Passes connections on while it is open; shut, it cuts what there is and refuses the rest."""

    target_port: int
    port: int = 0
    is_shut: bool = False
    refused: int = 0
    """Connections that came while it was shut."""
    _open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    def shut(self) -> None:
        self.is_shut = True
        for writer in list(self._open):
            writer.transport.abort()

    def open(self) -> None:
        self.is_shut = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_shut:
            self.refused += 1
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, up_writer}
        self._open |= pair

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while chunk := await source.read(65_536):
                    sink.write(chunk)
                    await sink.drain()
            sink.close()

        try:
            with suppress(asyncio.CancelledError):  # The test is over.
                await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))
        finally:
            self._open -= pair
            for one in pair:
                one.transport.abort()


@asynccontextmanager
async def gate_before(target_port: int) -> AsyncGenerator[Gate]:
    gate = Gate(target_port)
    server = await asyncio.start_server(gate.handle, "127.0.0.1", 0)
    gate.port = int(server.sockets[0].getsockname()[1])
    async with server:
        yield gate
        gate.shut()
        await asyncio.sleep(0.02)
