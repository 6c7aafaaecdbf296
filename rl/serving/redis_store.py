"""Histories in Redis, for several services: filled under names of their own, made current by one key."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import cast

import redis

from rl.errors import StoreError
from rl.serving.histories import Histories, from_bytes, to_bytes
from rl.serving.published_histories import PublishedHistories

SECONDS_TO_ANSWER = 0.05
SECONDS_OF_REST = 1.0
"""How long a store that failed isn't asked, and how long what is current is taken for granted."""

SECONDS_TO_LIVE = 14 * 24 * 3600
"""What a night filled goes by itself: long after it is stale."""

_AT_ONCE = 5_000


class RedisStore:
    """Reads what `fill_redis` wrote."""

    def __init__(self, address: str, name: str) -> None:
        """Take the store's address (`redis://host:port/database`) and a name for the source and the scenario."""
        self._client, self._name = connect(address), name
        self._current: tuple[str, int] | None = None
        self._asked_at = self._failed_at = float("-inf")

    def read(self, shoppers: Sequence[str]) -> Histories:
        """Return the histories of the shoppers.

        Raises:
            StoreError: the store doesn't answer in time, or failed a moment ago.
        """
        now = time.monotonic()
        if now - self._failed_at < SECONDS_OF_REST:
            raise StoreError("the store of histories failed a moment ago and is left alone for a second")
        try:
            if now - self._asked_at >= SECONDS_OF_REST:
                self._ask_what_is_current(now)
            if self._current is None:
                return Histories(None, [None] * len(shoppers))
            digest, as_of_day = self._current
            if not shoppers:
                return Histories(as_of_day, [])
            found = cast(
                "list[bytes | None]", self._client.mget([_key(self._name, digest, shopper) for shopper in shoppers])
            )
        except (redis.RedisError, OSError) as error:
            self._failed_at = now
            raise StoreError(f"the store of histories doesn't answer ({type(error).__name__})") from error
        return Histories(as_of_day, [None if one is None else from_bytes(one) for one in found])

    def _ask_what_is_current(self, now: float) -> None:
        self._current, self._asked_at = _read_current(self._client, self._name), now


def connect(address: str, seconds: float = SECONDS_TO_ANSWER) -> redis.Redis:
    """Return a client that waits no longer than so many seconds for an answer.

    Raises:
        StoreError: the address is none of Redis.
    """
    try:
        return redis.Redis.from_url(address, socket_timeout=seconds, socket_connect_timeout=seconds)
    except ValueError as error:
        raise StoreError(f"NIGHTCART_HISTORY_STORE: not an address of Redis ({error})") from error


def fill_redis(address: str, name: str, published: PublishedHistories) -> int:
    """Write the published histories, then make them current; return how many shoppers.

    Raises:
        StoreError: the store can't be written.
    """
    client = connect(address, seconds=30.0)
    n_shoppers = 0
    try:
        writes = client.pipeline(transaction=False)
        for shopper, history in published.histories():
            writes.set(_key(name, published.digest, shopper), to_bytes(history), ex=SECONDS_TO_LIVE)
            n_shoppers += 1
            if n_shoppers % _AT_ONCE == 0:
                writes.execute()
        writes.execute()
        content = {"digest": published.digest, "as_of_day": published.as_of_day}
        client.set(_current(name), json.dumps(content))
    except (redis.RedisError, OSError) as error:
        raise StoreError(f"the store of histories can't be filled ({error})") from error
    return n_shoppers


def redis_digest(address: str, name: str) -> str | None:
    """Return the digest of what is current; None where nothing is.

    Raises:
        StoreError: the store doesn't answer.
    """
    try:
        current = _read_current(connect(address, seconds=5.0), name)
    except (redis.RedisError, OSError) as error:
        raise StoreError(f"the store of histories doesn't answer ({error})") from error
    return None if current is None else current[0]


def _read_current(client: redis.Redis, name: str) -> tuple[str, int] | None:
    """Return the digest and the as-of day of what is current; None where nothing is."""
    content = client.get(_current(name))
    if content is None:
        return None
    told = json.loads(content)
    return str(told["digest"]), int(told["as_of_day"])


def _current(name: str) -> str:
    return f"nightcart:{name}:current"


def _key(name: str, digest: str, shopper: str) -> str:
    return f"nightcart:{name}:{digest}:{shopper}"
