"""Airflow's web server on SQLite: requests that write go through one after the other.

SQLite has one writer. Airflow notes who does what in its audit log from the server's event loop, and waits there for
the database; a request that writes meanwhile can't end before the loop runs again, so that both wait until SQLite gives
up and the person is told "Database error". One at a time, what is waited for is always another process, which ends.

Nor does one wait for a client: what an answer says is sent beside the application, which has let the next one in when
it ends, however slowly the client reads. What isn't read yet is held in memory, so answers to requests that write have
to be small, as Airflow's are: what it streams, logs and the grid, answers requests that read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

_READS = ("GET", "HEAD", "OPTIONS")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class OneWriter:
    """An ASGI middleware that lets one request in that writes, whoever sends it: people, tasks, the command line."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._writes = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READS:
            await self._app(scope, receive, send)
            return
        # Nobody waits for a client that is slow to say what it wants.
        receive = _again(await _whole_request(receive), receive)
        answer: asyncio.Queue[Message | None] = asyncio.Queue()
        sending = asyncio.ensure_future(_send_all(answer, send))
        try:
            async with self._writes:
                await self._app(scope, receive, answer.put)
        except asyncio.CancelledError:
            sending.cancel()
            raise
        except BaseException:
            await _end(answer, sending)  # the server can answer only what wasn't answered yet
            raise
        await _end(answer, sending)


async def _end(answer: asyncio.Queue[Message | None], sending: asyncio.Future[None]) -> None:
    answer.put_nowait(None)
    await sending


async def _send_all(answer: asyncio.Queue[Message | None], send: Send) -> None:
    """Send the messages in their order, as they come, up to None."""
    while (message := await answer.get()) is not None:
        await send(message)


async def _whole_request(receive: Receive) -> list[Message]:
    """Return the messages of a request, up to the last of its body or the client's going away."""
    messages = [await receive()]
    while messages[-1]["type"] == "http.request" and messages[-1].get("more_body", False):
        messages.append(await receive())
    return messages


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Return what hands out the messages first, then what the server receives."""
    left = iter(messages)

    async def next_message() -> Message:
        message = next(left, None)
        return await receive() if message is None else message

    return next_message
