"""Shoppers' ids become keyed hashes: in the workers of ingest and in the service, before anything is written."""

from __future__ import annotations

import hmac

_DIGITS = 32


def pseudonym(user_id: str, key: bytes) -> str:
    """Return the HMAC-SHA256 of the raw id: 128 bits, hex."""
    return hmac.digest(key, user_id.encode("utf-8"), "sha256").hex()[:_DIGITS]
