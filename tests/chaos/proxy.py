"""A TCP proxy that cuts uploads, swallows answers and stalls, at random per connection."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

CUT_AFTER_BYTES = 20_000
STALL_S = 2.0


@dataclass
class Faults:
    """How likely each fault is for a connection; all 0: a faithful proxy."""

    cut_upload: float = 0.0
    lost_answer: float = 0.0
    stall: float = 0.0

    def draw(self, chance: random.Random) -> str:
        x = chance.random()
        for name, share in vars(self).items():
            if x < share:
                return str(name)
            x -= share
        return ""


@dataclass
class FaultyProxy:
    """Forwards to one port of this machine."""

    target_port: int
    chance: random.Random
    faults: Faults
    port: int = 0
    faulted: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self.faults.draw(self.chance)
        self.faulted += bool(fault)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except (OSError, asyncio.CancelledError):  # The store is away, or the run is over.
            writer.transport.abort()
            return

        def kill() -> None:
            writer.transport.abort()
            up_writer.transport.abort()

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, up: bool) -> None:
            moved = 0
            try:
                while chunk := await source.read(65_536):
                    moved += len(chunk)
                    if fault == "stall":
                        await asyncio.sleep(STALL_S)
                    if fault == "lost_answer" and not up:
                        return kill()
                    if fault == "cut_upload" and up and moved > CUT_AFTER_BYTES:
                        return kill()
                    sink.write(chunk)
                    await sink.drain()
            except OSError:
                pass
            finally:
                sink.close()

        with suppress(asyncio.CancelledError):  # The run is over.
            await asyncio.gather(pump(reader, up_writer, True), pump(up_reader, writer, False))


@asynccontextmanager
async def faulty_proxy(target_port: int, chance: random.Random) -> AsyncGenerator[FaultyProxy]:
    proxy = FaultyProxy(target_port, chance, Faults())
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy
