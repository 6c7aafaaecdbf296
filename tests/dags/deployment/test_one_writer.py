"""Requests of a web server on SQLite; that Airflow's own server has the middleware is tested under a real Airflow."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from dags.deployment.one_writer import App, Message, OneWriter, Receive, Scope, Send

SECONDS_BUSY = 1.0


def server_like_airflows(path: Path) -> App:
    """A server that notes a request from its event loop, then writes, and commits once the loop has run again."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=SECONDS_BUSY, check_same_thread=False)

    with connect() as database:
        database.execute("CREATE TABLE told (what TEXT)")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        status = 200
        try:
            with connect() as notes:
                notes.execute("INSERT INTO told VALUES ('note')")
            writes = connect()
            writes.execute("INSERT INTO told VALUES (?)", (body.decode(),))
            await asyncio.sleep(0.05)
            writes.commit()
        except sqlite3.OperationalError:
            status = 500
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body", "body": body})

    return app


async def ask(app: App, method: str, *parts: bytes, pause: float = 0.0) -> tuple[int, bytes]:
    """Return the status and body of the answer to a request whose body comes in parts, with a pause before each."""
    left = [{"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts]
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "method": method}, receive, send)
    return sent[0]["status"], sent[1]["body"]


def in_loop(made: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(made(), timeout=60))


@pytest.mark.parametrize("alone", [True, False])
def test_requests_that_write_end_all(tmp_path: Path, alone: bool) -> None:
    """Without the middleware one of them holds the database while another keeps the loop from letting it end."""
    plain = server_like_airflows(tmp_path / "database.db")
    app = OneWriter(plain) if alone else plain

    async def people() -> list[tuple[int, bytes]]:
        return list(await asyncio.gather(*(ask(app, "POST", b"%d" % number) for number in range(5))))

    answers = in_loop(people)
    assert ({status for status, _ in answers} == {200}) is alone
    if alone:
        assert [body for _, body in answers] == [b"%d" % number for number in range(5)]


def test_a_body_in_parts_arrives_whole_and_a_slow_client_keeps_nobody_waiting(tmp_path: Path) -> None:
    app = OneWriter(server_like_airflows(tmp_path / "database.db"))
    ended: list[bytes] = []

    async def person(*parts: bytes, pause: float) -> None:
        ended.append((await ask(app, "PATCH", *parts, pause=pause))[1])

    async def people() -> None:
        await asyncio.gather(person(b"slow ", b"and ", b"long", pause=0.5), person(b"fast", pause=0.0))

    in_loop(people)
    assert ended == [b"fast", b"slow and long"]


def test_who_reads_waits_for_no_writer() -> None:
    """Not even while one is at work."""
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            await asyncio.sleep(0.2)
        order.append(scope.get("method", scope["type"]))
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b""})

    async def people() -> None:
        one = OneWriter(app)
        writing = asyncio.ensure_future(ask(one, "POST", b""))
        await asyncio.sleep(0.05)
        await ask(one, "GET", b"")
        await one({"type": "lifespan"}, _nothing, _nobody)
        await writing

    in_loop(people)
    assert order == ["GET", "lifespan", "POST"]


def test_a_client_that_does_not_read_its_answer_keeps_nobody_waiting() -> None:
    """Its answer goes on where it stood, in order, though the application ended long ago."""
    parts = [{"type": "http.response.body", "body": b"%d" % number, "more_body": number < 9} for number in range(10)]
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        for part in parts:
            await send(part)

    async def people() -> None:
        one, reads = OneWriter(app), asyncio.Event()

        async def slowly(message: Message) -> None:
            if len(sent) == 2:
                await reads.wait()
            sent.append(message)

        slow = asyncio.ensure_future(one({"type": "http", "method": "POST"}, _gone, slowly))
        await asyncio.sleep(0.05)
        assert await asyncio.wait_for(ask(one, "POST", b""), timeout=30) == (200, b"0")
        assert len(sent) == 2
        reads.set()
        await slow

    in_loop(people)
    assert sent[1:] == parts


def test_what_was_said_before_a_failure_is_sent() -> None:
    """Though not yet sent when the application fails: the server knows by it what it can still answer."""
    sent: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        raise ConnectionError("half said")

    async def send(message: Message) -> None:
        await asyncio.sleep(0.01)
        sent.append(message["type"])

    async def people() -> None:
        with pytest.raises(ConnectionError, match="half said"):
            await OneWriter(app)({"type": "http", "method": "POST"}, _gone, send)

    in_loop(people)
    assert sent == ["http.response.start"]


def test_a_server_that_stops_leaves_no_answer_behind() -> None:
    """Neither of an application that is at work, nor of one that has ended."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await asyncio.sleep(60 if scope["method"] == "PATCH" else 0)

    async def never(message: Message) -> None:
        await asyncio.sleep(60)

    async def people() -> None:
        one, before = OneWriter(app), asyncio.all_tasks()
        for method in ("POST", "PATCH"):
            stopped = asyncio.ensure_future(one({"type": "http", "method": method}, _gone, never))
            await asyncio.sleep(0.05)
            stopped.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stopped
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    in_loop(people)


def test_a_client_that_goes_away_and_one_that_fails_let_the_next_in(tmp_path: Path) -> None:
    """The application hears that nobody is there; what it raises is the server's to tell."""
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["type"])
        if len(heard) == 1:
            raise ConnectionError("nobody is there")
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"next"})

    async def people() -> tuple[int, bytes]:
        one = OneWriter(app)
        with pytest.raises(ConnectionError):
            await one({"type": "http", "method": "POST"}, _gone, _nobody)
        return await ask(one, "POST", b"x")

    assert in_loop(people) == (200, b"next")
    assert heard == ["http.disconnect", "http.request"]


async def _gone() -> Message:
    return {"type": "http.disconnect"}


async def _nothing() -> Message:
    return {"type": "lifespan.startup"}


async def _nobody(message: Message) -> None:
    return None
