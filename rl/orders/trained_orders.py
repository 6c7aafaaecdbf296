"""Fitted ways to order as training left them in the run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.paths import Run
from conf.plain_json import to_json
from conf.publication import write_atomically
from conf.specs.orders import OrderCandidate
from conf.specs.scenario import Scenario
from conf.specs.strict_yaml import suggest
from rl.errors import EvaluationError, TrainingError
from rl.inventory.limits import UnitLimits
from rl.inventory.order_policy import OrderPolicy, load_order_policy
from rl.learning.curves import Curve
from rl.learning.trained_candidates import read_curves, untrained

if TYPE_CHECKING:
    from rl.orders.order_fitting import FittedOrders
    from rl.orders.order_plan import PlannedProducts

_METRIC = "earned_a_week"


@dataclass(frozen=True)
class TrainedOrders:
    """A candidate's policy, its result and its curves."""

    policy: OrderPolicy
    result: dict[str, Any]
    curves: tuple[Curve, ...]


def seeded_orders(scenario: Scenario) -> dict[str, tuple[OrderCandidate, int]]:
    """Return the candidates with their seeds by name, such as `base_stock-1`."""
    return {} if scenario.orders is None else scenario.orders.seeded


def find_orders(scenario: Scenario, name: str) -> tuple[OrderCandidate, int]:
    """Return the candidate of that name and its seed.

    Raises:
        TrainingError: the scenario has none; with a suggestion.
    """
    known = seeded_orders(scenario)
    if name not in known:
        raise TrainingError(f"scenario {scenario.name} has no candidate {name!r}{suggest(name, list(known))}")
    return known[name]


def save_orders(
    folder: Path, fitted: FittedOrders, candidate: OrderCandidate, *, seed: int, seconds: float, more: dict[str, Any]
) -> dict[str, Any]:
    """Write policy/, curve.jsonl and, last, result.json to the candidate's folder; return result.json's content."""
    policy = fitted.policy
    policy.save(folder / "policy")
    lines = [
        to_json({"split": "validation", "metric": _METRIC, "update": update, "value": value})
        for update, value in fitted.curve
    ]
    write_atomically(folder / "curve.jsonl", "".join(f"{line}\n" for line in lines))
    result = {
        "candidate": policy.name,
        "algorithm": candidate.algorithm,
        "seed": seed,
        "settings": candidate.model_dump(mode="json"),
        "numbers": {
            "safety": policy.safety,
            "batch": policy.batch,
            "cap": policy.cap,
            **({} if policy.shared_limit is None else {"room_price": policy.room_price}),
        },
        "dataset_digest": policy.dataset_digest,
        "policy_version": policy.version,
        "n_updates": fitted.n_updates,
        "earned_a_week": fitted.earned,
        "seconds": {"all": round(seconds, 2)},
        **({} if fitted.planned is None else {"planned": _told(fitted.planned)}),
        **more,
    }
    write_atomically(folder / "result.json", to_json(result, indent=1))
    return result


def _told(planned: PlannedProducts) -> dict[str, Any]:
    """Return how many products have a plan, of how many, and why the others have none."""
    n = 0 if planned.tables is None else len(planned.tables.products)
    return {"n_planned": n, "n_products": n + len(planned.others), "others": dict(planned.others)}


def load_orders_trained(
    run: Run, names: Sequence[str], *, dataset_digest: str, limits: UnitLimits | None = None
) -> dict[str, TrainedOrders]:
    """Return the candidates by name, in the given order.

    Args:
        run: of the night.
        names: of the candidates.
        dataset_digest: of the night's dataset.
        limits: of each product, as the scenario has them now; None takes candidates fitted under any.

    Raises:
        EvaluationError: lists every candidate that wasn't trained, or was trained on other data or under other limits.
    """
    problems = untrained(run, names, dataset_digest=dataset_digest)
    found = {name: _load(run, name) for name in names if name not in problems}
    for name, one in found.items():
        if limits is not None and (under := one.policy.fitted_under) != limits:
            problems[name] = f"{name} was fitted under {under}, the scenario now has {limits}"
    if problems:
        raise EvaluationError("candidates aren't ready: " + "; ".join(problems.values()) + "; train them (again)")
    return found


def _load(run: Run, name: str) -> TrainedOrders:
    folder = run.candidate(name)
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return TrainedOrders(load_order_policy(folder / "policy"), result, read_curves(run, name))
