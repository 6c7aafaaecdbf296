"""Databases of their own for tests, on the PostgreSQL that NIGHTCART_TEST_POSTGRES names."""

from __future__ import annotations

import importlib.util
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

needs_postgres = pytest.mark.skipif(
    not os.environ.get("NIGHTCART_TEST_POSTGRES") or importlib.util.find_spec("psycopg") is None,
    reason="NIGHTCART_TEST_POSTGRES names no server, or there is no psycopg",
)


@contextmanager
def own_database() -> Iterator[str]:
    """Yield the address of an empty database, which is gone afterwards."""
    server = os.environ["NIGHTCART_TEST_POSTGRES"].rpartition("/")[0]
    name = f"nightcart_test_{secrets.token_hex(6)}"
    ask(f"{server}/postgres", f"CREATE DATABASE {name}")
    try:
        yield f"{server}/{name}"
    finally:
        ask(f"{server}/postgres", f"DROP DATABASE {name} WITH (FORCE)")


def ask(address: str, statement: str) -> list[str]:
    """Return the lines of the answer, columns parted by `|`."""
    command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
