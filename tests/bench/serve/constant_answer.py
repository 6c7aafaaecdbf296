"""A server that answers every request with the same bytes: what callers and sockets alone allow on a machine.

It reads no JSON, checks nothing and decides nothing. With a file it has a line on disk before each answer, as a service
that never answers unlogged must: no such service in Python is faster here.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
LINE = b"x" * 600 + b"\n"
"""About as long as a logged decision."""


class ConstantAnswer(asyncio.Protocol):
    """One connection: a request is whole once as many bytes followed its head as that said."""

    def __init__(self, log: int | None) -> None:
        """Take the file that lines are written to before answers; None writes none."""
        self._log = log

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._read = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole."""
        self._read += data
        head, separator, body = self._read.partition(b"\r\n\r\n")
        if separator and len(body) >= _length(head):
            self._read = body[_length(head) :]
            if self._log is not None:
                os.write(self._log, LINE)
                os.fsync(self._log)
            self._transport.write(ANSWER)


def _length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n")[0] or 0)


async def serve(port: int, log: Path | None) -> None:
    """Answer on the port until the process is ended."""
    file = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    server = await asyncio.get_running_loop().create_server(partial(ConstantAnswer, file), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
