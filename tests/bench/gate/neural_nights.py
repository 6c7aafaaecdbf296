"""Nights on the tabular shop's sessions whose Q-functions are networks, beside the same nights with linear fits."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import binomtest

from rl.data.discount_function import DiscountFunction
from rl.data.episode_selection import join_episodes, take_episodes
from rl.data.logged_episodes import BoolArray, FloatArray, LoggedEpisodes
from rl.gate.rules import GateEvidence, Verdict
from rl.ope.q_functions.fqe import FqeTask, fit_fqe_together
from tests.bench.gate.fast_sessions import Sessions, fitted_q, halves_of, night_figures, verdict_of
from tests.bench.gate.nights import FIRST_NIGHT_LEVEL, GATE, split
from tests.bench.gate.shop import GAMMA, N_STATES, STEPS, behavior_value, candidate, gate_shop
from tests.bench.ope.neural import NEURAL
from tests.rl.ope.tabular_mdp import TablePolicy

GAINS = (0.0, 0.1)
N_SESSIONS = 2000
FIRST_SEED = 60_000_000
FITS = ("neural", "linear")

Figures = Mapping[str, Any]


def neural_night(number: int, *, n_sessions: int = N_SESSIONS) -> dict[str, dict[str, Any]]:
    """Return what the gate says of each fixed candidate by either fit, on one log; `seconds` of the networks' fits.

    Networks that are fitted together are the same as one after the other, and the log's own policy needs none: its
    doubly robust value of sessions that nothing cuts is what they earned.
    """
    seed = FIRST_SEED + 10 * number
    train, test = split(2 * n_sessions, seed), split(n_sessions, seed + 1)
    policies = {name_of(gain): candidate(gain) for gain in GAINS}
    sessions = {name: (Sessions.of(policy, train), Sessions.of(policy, test)) for name, policy in policies.items()}
    half = halves_of(*next(iter(sessions.values())))
    started = time.process_time()
    fits = [
        _networks(policies, episodes, seed) for episodes in (train, *(_half(train, test, half == n) for n in (0, 1)))
    ]
    seconds = (time.process_time() - started) / len(GAINS)
    found: dict[str, dict[str, Any]] = {}
    for name, policy in policies.items():
        before, own = sessions[name]
        by_network = night_figures(policy, [before], own, fits[0][name], [fits[1][name], fits[2][name]])
        by_line = night_figures(policy, [before], own, fitted_q(policy, before)[0])
        figures = {"neural": by_network, "linear": by_line}
        found[name] = {"seconds": seconds} | {
            fit: _told(verdict_of(one, gate=GATE, alpha=FIRST_NIGHT_LEVEL, seed=seed)) for fit, one in figures.items()
        }
    return found


def name_of(gain: float) -> str:
    """Return what a candidate of that true gain is called."""
    return f"{gain:+.0%}" if gain else "equal"


def _networks(policies: Mapping[str, TablePolicy], episodes: LoggedEpisodes, seed: int) -> dict[str, FloatArray]:
    """Return what networks fitted on the episodes say of states and actions, by candidate."""
    fits = fit_fqe_together(
        [FqeTask(policy, episodes) for policy in policies.values()],
        discount=DiscountFunction(GAMMA),
        steps=STEPS,
        settings=replace(NEURAL, seed=seed),
    )
    states = np.eye(N_STATES, dtype=np.float32)
    return {name: fit.q(states, gate_shop().mask) for name, fit in zip(policies, fits, strict=True)}


def _half(train: LoggedEpisodes, test: LoggedEpisodes, kept: BoolArray) -> LoggedEpisodes:
    n = train.n_episodes
    return join_episodes([take_episodes(train, kept[:n]), take_episodes(test, kept[n:])])


def _told(found: tuple[GateEvidence, Verdict]) -> dict[str, Any]:
    evidence, verdict = found
    difference = evidence.difference
    return {
        "decision": verdict.decision.value,
        "value": None if difference is None else difference.value,
        "standard_error": None if difference is None else difference.standard_error,
        "loss_error": None if evidence.losses is None else evidence.losses.standard_error,
    }


def neural_line(gain: float, nights: Sequence[Figures]) -> dict[str, object]:
    """Return the line of a candidate: shares of nights with two-sided 95% bounds (Clopper and Pearson 1934)."""
    line: dict[str, object] = {
        "bench": "gate",
        "log": "neural",
        "sessions": N_SESSIONS,
        "candidate": name_of(gain),
        "nights": len(nights),
        "seconds_a_night": round(float(np.mean([night["seconds"] for night in nights])), 2),
        "decided_alike": sum(night["neural"]["decision"] == night["linear"]["decision"] for night in nights),
        "error_over_linear": round(float(np.median([_error_ratio(night) for night in nights])), 3),
    }
    for fit in FITS:
        decisions = [night[fit]["decision"] for night in nights]
        promoted = decisions.count("promote")
        bounds = binomtest(promoted, len(nights)).proportion_ci(0.95)
        bias = np.array([night[fit]["value"] for night in nights]) - gain * behavior_value()
        line |= {
            f"{fit}_promoted": round(promoted / len(nights), 4),
            f"{fit}_promoted95": [round(bounds.low, 4), round(bounds.high, 4)],
            f"{fit}_abstained": round(decisions.count("abstain") / len(nights), 4),
            f"{fit}_bias": round(float(bias.mean()), 4),
            f"{fit}_bias_se": round(float(bias.std(ddof=1) / np.sqrt(len(nights))), 4),
        }
    return line


def _error_ratio(night: Figures) -> float:
    return float(night["neural"]["standard_error"] / night["linear"]["standard_error"])
