"""Documents up and down, in chunks, with a bar for a person who waits."""

import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
import msgspec
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TransferSpeedColumn,
)

from genro_wopi.cli.show import console
from genro_wopi.client.blocking import BlockingClient
from genro_wopi.management.operation import Operation

STANDARD: Final = "-"
CHUNK_BYTES: Final = 256 * 1024


def send(
    client: BlockingClient, operation: Operation[Any, Any], request: msgspec.Struct, file: str
) -> msgspec.Struct:
    """Upload a file, or what comes by standard input."""
    if file == STANDARD:
        return client.call(operation, request, counted(sys.stdin.buffer, None, "upload"))
    path = Path(file)
    with path.open("rb") as stream:
        return client.call(operation, request, counted(stream, path.stat().st_size, path.name))


def fetch(
    client: BlockingClient, operation: Operation[Any, Any], request: msgspec.Struct, output: str
) -> None:
    """Download into a file, which appears when it is whole, or to standard output."""
    with client.download(operation, request) as (length, chunks):
        if output == STANDARD:
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            return
        path = Path(output)
        draft = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with draft.open("wb") as stream:
                for chunk in shown(chunks, length, path.name):
                    stream.write(chunk)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    click.echo(f"{path}: {path.stat().st_size} bytes", err=True)


def counted(stream: BinaryIO, length: int | None, name: str) -> Iterator[bytes]:
    """Read a stream in chunks, showing how far it is."""
    return shown(iter(lambda: stream.read(CHUNK_BYTES), b""), length, name)


def shown(chunks: Iterable[bytes], length: int | None, name: str) -> Iterator[bytes]:
    """Pass chunks on, showing how far it is where a person looks."""
    with bar(name, length) as advance:
        for chunk in chunks:
            yield chunk
            advance(len(chunk))


def bar(name: str, length: int | None) -> AbstractContextManager[Callable[[int], None]]:
    """Show how many bytes have gone, while the block runs."""
    return _showing(name, length, (BarColumn(), DownloadColumn(), TransferSpeedColumn()))


def counter(name: str) -> AbstractContextManager[Callable[[int], None]]:
    """Show how many things were done, while the block runs."""
    return _showing(name, None, (SpinnerColumn(), TextColumn("{task.completed:.0f}")))


@contextmanager
def _showing(
    name: str, length: int | None, columns: tuple[ProgressColumn, ...]
) -> Generator[Callable[[int], None]]:
    """Show progress on standard error; nothing where it is no terminal."""
    with Progress(
        "{task.description}",
        *columns,
        console=console(to_error=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    ) as progress:
        task = progress.add_task(name, total=length)

        def advance(count: int) -> None:
            progress.advance(task, count)

        yield advance
