"""Names of a scenario's candidates: algorithm and seed."""

from __future__ import annotations

from dataclasses import dataclass

from conf.specs.scenario import Candidate, Scenario
from conf.specs.strict_yaml import suggest
from rl.errors import TrainingError


@dataclass(frozen=True)
class SeededCandidate:
    """An algorithm with its settings, to be trained with one seed."""

    name: str
    candidate: Candidate
    seed: int


def seeded_candidates(scenario: Scenario) -> dict[str, SeededCandidate]:
    """Return the candidates by name, such as `discrete_cql-1`; an algorithm's second entry is named `bc.2-1`.

    Raises:
        TrainingError: a candidate stands twice.
    """
    found: dict[str, SeededCandidate] = {}
    entries: dict[str, int] = {}
    for candidate in scenario.candidates:
        place = entries[candidate.algorithm] = entries.get(candidate.algorithm, 0) + 1
        label = candidate.algorithm if place == 1 else f"{candidate.algorithm}.{place}"
        for seed in candidate.seeds:
            name = f"{label}-{seed}"
            if name in found:
                raise TrainingError(f"candidate {name} stands twice in scenario {scenario.name}; keep one")
            found[name] = SeededCandidate(name, candidate, seed)
    return found


def find_candidate(scenario: Scenario, name: str) -> SeededCandidate:
    """Return the candidate of that name.

    Raises:
        TrainingError: the scenario has none; with a suggestion.
    """
    known = seeded_candidates(scenario)
    if name not in known:
        raise TrainingError(f"scenario {scenario.name} has no candidate {name!r}{suggest(name, list(known))}")
    return known[name]
