"""The keyed hash of lines and shoppers' ids: HMAC-SHA256, its first 128 bits."""

from __future__ import annotations

from hashlib import sha256

_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_KEPT_BYTES = 16


class KeyedHash:
    """Hashes under one key; what the key alone decides is done once. Source: RFC 2104, section 4."""

    def __init__(self, key: bytes) -> None:
        block = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner, self._outer = sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))

    def __call__(self, content: bytes) -> str:
        """Return the keyed hash of the bytes: 128 bits, hex."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return outer.digest()[:_KEPT_BYTES].hex()
