"""Trained candidates as training left them in the run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conf.paths import Run
from rl.errors import EvaluationError
from rl.learning.curves import Curve
from rl.policy import StochasticPolicy, load_policy
from rl.policy.action_rules import NO_RULES, ActionRules

FAILURE_FILE = "failure.json"
"""Why the last try to train a candidate failed; whoever ran it leaves it, a new try removes it."""


@dataclass(frozen=True)
class LoadedCandidate:
    """A candidate's policy, at the temperature it was saved with, its result and its curves.

    Attributes:
        policy: after the last update.
        checkpoints: the policy after some updates, the last one among them, by update.
        result: as training left it.
        curves: learning curves.
    """

    policy: StochasticPolicy
    checkpoints: dict[int, StochasticPolicy]
    result: dict[str, Any]
    curves: tuple[Curve, ...]


def load_candidates(
    run: Run, names: Sequence[str], *, dataset_digest: str, rules: ActionRules | None = None
) -> dict[str, LoadedCandidate]:
    """Return the candidates by name, in the given order.

    Args:
        run: of the night.
        names: of the candidates.
        dataset_digest: of the night's dataset.
        rules: of the shop, under which they must have learned; None takes them under any.

    Raises:
        EvaluationError: lists every candidate that wasn't trained, or was trained on other data or under other rules.
    """
    problems = untrained(run, names, dataset_digest=dataset_digest, rules=rules)
    if problems:
        raise EvaluationError("candidates aren't ready: " + "; ".join(problems.values()) + "; train them (again)")
    return {name: _load(run, name) for name in names}


def untrained(
    run: Run, names: Sequence[str], *, dataset_digest: str, rules: ActionRules | None = None
) -> dict[str, str]:
    """Return why candidates have no result on the dataset under the rules, by name, without those that have one.

    A result that says nothing of rules was made by a release that had none.
    """
    problems = {}
    for name in names:
        path = run.candidate(name) / "result.json"
        if not path.exists():
            problems[name] = f"{name} has no result in {path.parent}{_failure(path.parent)}"
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        if (digest := result["dataset_digest"]) != dataset_digest:
            problems[name] = f"{name} was trained on dataset {digest}, not {dataset_digest}"
        elif rules is not None and result.get("rules", NO_RULES.to_json()) != rules.to_json():
            problems[name] = f"{name} was trained under other rules than the scenario has now"
    return problems


def _failure(folder: Path) -> str:
    """Return why the candidate's training failed, as its last try said; empty where nothing is known."""
    try:
        reason = json.loads((folder / FAILURE_FILE).read_text(encoding="utf-8"))["reason"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f": {reason}"


def _load(run: Run, name: str) -> LoadedCandidate:
    folder = run.candidate(name)
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    checkpoints = {update: load_policy(kept_folder(folder, update)) for update in result["checkpoints"]}
    return LoadedCandidate(load_policy(folder / "policy"), checkpoints, result, read_curves(run, name))


def kept_folder(candidate: Path, update: int) -> Path:
    """Return the folder of the policy that was kept after so many updates."""
    return candidate / "checkpoints" / f"{update:09d}"


def read_curves(run: Run, name: str) -> tuple[Curve, ...]:
    """Return the candidate's learning curves, one for each split and metric."""
    points: dict[tuple[str, str], list[tuple[int, float | None]]] = {}
    path = run.candidate(name) / "curve.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines():
        point = json.loads(line)
        points.setdefault((point["split"], point["metric"]), []).append((point["update"], point["value"]))
    return tuple(
        Curve(
            candidate=name,
            split=split,
            metric=metric,
            updates=tuple(update for update, _ in found),
            values=tuple(value for _, value in found),
        )
        for (split, metric), found in points.items()
    )
