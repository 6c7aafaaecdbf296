"""Addresses of databases: which kind they are, and as they may be shown."""

from __future__ import annotations

import re

_POSTGRES = re.compile(r"postgresql(\+[a-z0-9]+)?://")


def is_postgres(address: str) -> bool:
    """Return whether the address is one of PostgreSQL, by whatever driver."""
    return _POSTGRES.match(address) is not None


def without_password(address: str) -> str:
    """Return the address with stars in its password's place, so that it may stand in messages and files."""
    held = "[^@/]*" if address.startswith("http") else "[^@]*"  # a database's password may hold slashes
    shown = re.sub(rf"(://[^:/@]*):{held}@", r"\1:***@", address)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", shown)
