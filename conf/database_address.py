"""Addresses of databases: which kind they are, and as they may be shown."""

from __future__ import annotations

import re
from pathlib import Path

_POSTGRES = re.compile(r"postgresql(\+[a-z0-9]+)?://")

SQLITE = "sqlite:///"
"""What addresses of SQLite files begin with."""


def is_postgres(address: str) -> bool:
    """Return whether the address is one of PostgreSQL, by whatever driver."""
    return _POSTGRES.match(address) is not None


def sqlite_file(address: str) -> Path | None:
    """Return the file that an address of SQLite names; None for other addresses."""
    path = address.partition("?")[0].removeprefix(SQLITE)
    is_file = address.startswith(SQLITE) and path not in ("", ":memory:")
    return Path(path).absolute() if is_file else None


def without_password(address: str) -> str:
    """Return the address with stars in its password's place, so that it may stand in messages and files."""
    held = "[^@/]*" if address.startswith("http") else "[^@]*"  # a database's password may hold slashes
    shown = re.sub(rf"(://[^:/@]*):{held}@", r"\1:***@", address)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", shown)
