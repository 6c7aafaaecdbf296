"""Shoppers' ids become keyed hashes: in the workers of ingest and in the service, before anything is written."""

from __future__ import annotations

import hmac
import re
import secrets

_DIGITS = 32
_MADE_UP = _DIGITS // 2


def pseudonym(user_id: str, key: bytes) -> str:
    """Return the HMAC-SHA256 of the raw id: 128 bits, hex."""
    return hmac.digest(key, user_id.encode("utf-8"), "sha256").hex()[:_DIGITS]


def is_pseudonym(text: str) -> bool:
    """Return whether the text looks like one, by whichever key it was made."""
    return re.fullmatch(f"[0-9a-f]{{{_DIGITS}}}", text) is not None


def opted_out_name(key: bytes) -> str:
    """Return a name for one request of a shopper who opted out: no other has it, and only the key tells what it is."""
    made_up = secrets.token_hex(_MADE_UP // 2)
    return made_up + _opted_out_mark(made_up, key)


def is_opted_out(name: str, key: bytes) -> bool:
    """Return whether a name was made for a request of a shopper who opted out, under this key.

    Names that earlier releases made for such requests can't be told from others.
    """
    return hmac.compare_digest(name[_MADE_UP:].encode("utf-8"), _opted_out_mark(name[:_MADE_UP], key).encode("utf-8"))


def _opted_out_mark(made_up: str, key: bytes) -> str:
    return hmac.digest(key, f"opted out|{made_up}".encode(), "sha256").hex()[: _DIGITS - _MADE_UP]
