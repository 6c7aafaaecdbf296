"""One action for each unit, drawn together: each with its own probabilities, and a budget that is kept exactly.

Independent draws keep a budget only on average. Here two units' probabilities are moved against one another until one
of them is settled, and in such a direction that neither what all cost together nor any expectation changes. What is
left at the end is one unit at most, and its draw is made within what is left of the budget.

Source: Srinivasan, Distributions on Level-Sets with Applications to Approximation Algorithms (2001); Deville and Tillé,
Efficient Balanced Sampling: The Cube Method (2004), whose flight phase this is for one constraint.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_TINY = 1e-12


def draw_within_budget(
    probabilities: FloatArray, costs: FloatArray, budget: float, generator: np.random.Generator
) -> IntArray:
    """Return an action for each unit, `(n_units,)`; its chances are its row of probabilities, exactly.

    What all drawn actions cost differs from what is expected by less than one unit's dearest action.

    Args:
        probabilities: of each unit's actions, `(n_units, n_actions)`, rows sum to 1.
        costs: of each action for each unit, `(n_units, n_actions)` or `(n_actions,)`, in money.
        budget: which no draw may exceed, in money. The expected cost has to leave room for one unit's dearest action,
            less its cheapest.
        generator: of the draws.

    Raises:
        PolicyError: rows that are no probabilities, or a budget that some draw could exceed.
    """
    prices = np.ascontiguousarray(np.broadcast_to(np.asarray(costs, dtype=np.float64), probabilities.shape))
    left = probabilities.astype(np.float64).copy()
    if not (np.isfinite(left).all() and (left >= 0).all() and np.allclose(left.sum(axis=1), 1.0, rtol=0, atol=1e-9)):
        raise PolicyError("the chances of a unit's actions are no probabilities that sum to 1")
    expected, spread = float((left * prices).sum()), largest_difference(left, prices)
    if expected + spread > budget * (1 + 1e-9) + 1e-9:
        raise PolicyError(
            f"the expected cost {expected:.6g} and one unit's largest difference {spread:.6g} exceed the budget "
            f"{budget:.6g}: a draw could; plan with a budget that is smaller by that difference"
        )
    open_unit: int | None = None
    for unit in generator.permutation(len(left)).tolist():
        _settle_alone(left[unit], prices[unit], generator)
        if _n_open(left[unit]) < 2:
            continue
        if open_unit is None:
            open_unit = unit
            continue
        _settle_pair(left, prices, open_unit, unit, generator)
        open_unit = next((one for one in (open_unit, unit) if _n_open(left[one]) > 1), None)
    if open_unit is not None:
        row = left[open_unit] / left[open_unit].sum()
        chosen = int(generator.choice(len(row), p=row))
        left[open_unit] = np.arange(len(row)) == chosen
    drawn: IntArray = np.argmax(left, axis=1)
    return drawn


def largest_difference(probabilities: FloatArray, costs: FloatArray) -> float:
    """Return by how much the costs of one unit's possible actions differ at most, in money; 0 without units."""
    possible = probabilities > 0
    dear = np.where(possible, costs, -np.inf).max(axis=1, initial=-np.inf)
    cheap = np.where(possible, costs, np.inf).min(axis=1, initial=np.inf)
    return float((dear - cheap).max(initial=0.0))


def _n_open(row: FloatArray) -> int:
    return int(np.count_nonzero(row > _TINY))


def _settle_alone(row: FloatArray, costs: FloatArray, generator: np.random.Generator) -> None:
    """Leave a unit two possible actions at most, of different costs, without changing what it is expected to cost."""
    while True:
        places = np.flatnonzero(row > _TINY)
        places = places[np.argsort(costs[places], kind="stable")]
        if len(places) < 2:
            return
        same = np.flatnonzero(np.diff(costs[places]) <= 0)
        if len(same):
            direction = np.zeros(len(row))
            direction[places[same[0]]], direction[places[same[0] + 1]] = 1.0, -1.0
        elif len(places) >= 3:
            low, middle, high = places[0], places[1], places[-1]
            share = (costs[high] - costs[middle]) / (costs[high] - costs[low])
            direction = np.zeros(len(row))
            direction[low], direction[middle], direction[high] = share, -1.0, 1.0 - share
        else:
            return
        _move(row, direction, generator)


def _settle_pair(left: FloatArray, costs: FloatArray, one: int, other: int, generator: np.random.Generator) -> None:
    """Settle one of two units that have two possible actions each; what they cost together is as expected."""
    while _n_open(left[one]) > 1 and _n_open(left[other]) > 1:
        direction = np.zeros((2, left.shape[1]))
        for number, (unit, sign) in enumerate(((one, 1.0), (other, -1.0))):
            places = np.flatnonzero(left[unit] > _TINY)
            cheap, dear = places[np.argsort(costs[unit, places], kind="stable")]
            amount = sign / (costs[unit, dear] - costs[unit, cheap])
            direction[number, dear], direction[number, cheap] = amount, -amount
        pair = left[[one, other]]
        _move(pair.reshape(-1), direction.reshape(-1), generator)
        left[[one, other]] = pair


def _move(row: FloatArray, direction: FloatArray, generator: np.random.Generator) -> None:
    """Move probabilities along a direction, one way or the other, until one of them is 0; expectations stay."""
    forth, back = _room(row, direction), _room(row, -direction)
    step = forth if generator.random() * (forth + back) < back else -back
    row += step * direction
    row[row <= _TINY] = 0.0


def _room(row: FloatArray, direction: FloatArray) -> float:
    """Return how far the direction can be followed before a probability falls below 0."""
    falling = direction < 0
    return float((row[falling] / -direction[falling]).min())
