"""Airflow's web server on SQLite: requests that write go through one after the other.

SQLite has one writer. Airflow notes who does what in its audit log from the server's event loop, and waits there for
the database; a request that writes meanwhile can't end before the loop runs again, so that both wait until SQLite gives
up and the person is told "Database error". One at a time, what is waited for is always another process, which ends.
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
        async with self._writes:
            await self._app(scope, receive, send)


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
