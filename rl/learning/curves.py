"""Learning curves: what training logged of a candidate."""

from __future__ import annotations

from conf.specs.strict_yaml import StrictModel


class Curve(StrictModel):
    """A metric over a candidate's training."""

    candidate: str
    split: str
    metric: str
    updates: tuple[int, ...]
    values: tuple[float | None, ...]
