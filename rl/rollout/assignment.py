"""Which shoppers are held out, and which get a version that is rolled out: a greater share only adds shoppers."""

from __future__ import annotations

import hmac
import math

import numpy as np
import numpy.typing as npt

LotArray = npt.NDArray[np.uint64]
BoolArray = npt.NDArray[np.bool_]

_ALL = 2**64


def is_control(shopper: str, key: bytes, *, scenario: str, share: float) -> bool:
    """Return whether a shopper is held out from the scenario's policy: always the same ones.

    Args:
        shopper: pseudonym.
        key: of the pseudonyms: without it nobody can tell who is held out.
        scenario: each has a holdout of its own.
        share: of the shoppers, from 0 to 1; a greater one holds the former ones out too.
    """
    return control_lot(shopper, key, scenario=scenario) < share * _ALL


def control_lot(shopper: str, key: bytes, *, scenario: str) -> int:
    """Return the shopper's lot in a scenario's holdout, from 0 to 2^64 - 1: lower ones are held out first."""
    return _lot(f"control holdout|{scenario}|{shopper}", key)


def first_left_out(share: float) -> int:
    """Return the first lot that a share leaves out, at most 2^64 - 1, which a share below 1 always does."""
    return min(math.ceil(share * _ALL), _ALL - 1)


def gets_new_version(shopper: str, key: bytes, *, scenario: str, policy_version: str, share: float) -> bool:
    """Return whether a shopper is among the share who get the version that is rolled out.

    Each version draws its shoppers anew, so that not always the same ones get what is new first; the control holdout
    is drawn apart from them.

    Args:
        shopper: pseudonym.
        key: of the pseudonyms: without it nobody can tell who gets what.
        scenario: each has shares of its own.
        policy_version: under which the version's decisions are logged.
        share: of the shoppers, from 0 to 1.
    """
    return rollout_lot(shopper, key, scenario=scenario, policy_version=policy_version) < share * _ALL


def rollout_lot(shopper: str, key: bytes, *, scenario: str, policy_version: str) -> int:
    """Return the shopper's lot in a version's rollout, from 0 to 2^64 - 1: lower ones get the version earlier."""
    return _lot(f"rollout|{scenario}|{policy_version}|{shopper}", key)


def drawn(lots: LotArray, share: float) -> BoolArray:
    """Return who is among the share who get the version, as `gets_new_version` says it, `(n_shoppers,)`.

    Args:
        lots: of the shoppers, as `rollout_lot` draws them, `(n_shoppers,)`.
        share: of the shoppers, from 0 to 1.
    """
    left_out = math.ceil(share * _ALL)
    if left_out >= _ALL:
        return np.ones(len(lots), dtype=np.bool_)
    found: BoolArray = lots < np.uint64(left_out)
    return found


def _lot(text: str, key: bytes) -> int:
    return int.from_bytes(hmac.digest(key, text.encode(), "sha256")[:8], "big")
