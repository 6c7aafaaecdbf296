"""Distributions of returns, whole and plausible; tests override what matters to them."""

from __future__ import annotations

from typing import Any

from rl.figures.returns import Returns, ReturnsOf
from rl.figures.values import Spread
from tests.rl.page.evidence_factory import spread

_NAMES = {"candidate": "discrete_cql-1", "behavior": "behavior policy", "champion": "champion, version 3"}


def returns_of(role: str, **overrides: Any) -> ReturnsOf:
    cdf = overrides.get("cdf", (0.3, 0.7, 1.0))
    content: dict[str, Any] = {
        "role": role,
        "name": _NAMES[role],
        "cdf": cdf,
        "cdf_lower": tuple(max(0.0, one - 0.05) for one in cdf),
        "cdf_upper": tuple(min(1.0, one + 0.05) for one in cdf),
        "mean": spread(1.5),
        "deviation": spread(2.1),
        "quartiles": (spread(0.1, 0), spread(1.2), spread(2.9)),
        "worst": spread(0.5),
        "share_cut": 0.02,
        "effective_units": 310.0,
    }
    return ReturnsOf(**{**content, **overrides})


def returns(**overrides: Any) -> Returns:
    content: dict[str, Any] = {
        "points": (0.0, 2.0, 4.0),
        "policies": (returns_of("candidate", cdf=(0.2, 0.6, 1.0)), returns_of("behavior")),
        "tail": 0.1,
        "level": 0.95,
        "max_share_cut": 0.1,
        "worst_gain": Spread(value=-0.2, lower=-0.3, upper=-0.1),
    }
    return Returns(**{**content, **overrides})
