"""Shoppers' ids become keyed hashes: in the workers of ingest and in the service, before anything is written."""

from __future__ import annotations

import hmac
import re

_DIGITS = 32


def pseudonym(user_id: str, key: bytes) -> str:
    """Return the HMAC-SHA256 of the raw id: 128 bits, hex."""
    return hmac.digest(key, user_id.encode("utf-8"), "sha256").hex()[:_DIGITS]


def is_pseudonym(text: str) -> bool:
    """Return whether the text looks like one, by whichever key it was made."""
    return re.fullmatch(f"[0-9a-f]{{{_DIGITS}}}", text) is not None
