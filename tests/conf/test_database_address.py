"""Addresses of databases."""

from __future__ import annotations

import pytest

from conf.database_address import is_postgres, without_password


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://db/x", True),
        ("postgresql+psycopg2://db/x", True),
        ("postgres://db/x", False),  # SQLAlchemy knows it no more
        ("sqlite:////postgresql://x.db", False),
        ("", False),
    ],
)
def test_postgres_is_told_by_its_scheme(address: str, expected: bool) -> None:
    assert is_postgres(address) is expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://me:a/secret@db:5432/x", "postgresql://me:***@db:5432/x"),
        (
            "postgresql://db/x?user=me&password=secret&sslmode=require",
            "postgresql://db/x?user=me&password=***&sslmode=require",
        ),
        ("https://me:secret@host/a@b", "https://me:***@host/a@b"),
        ("postgresql://me@db/x", "postgresql://me@db/x"),
    ],
)
def test_a_password_is_never_shown(address: str, expected: str) -> None:
    """Wherever an address may hold one."""
    assert without_password(address) == expected
