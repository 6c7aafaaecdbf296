"""The candidates of a night, as seen on validation episodes, and what the selected one does."""

from __future__ import annotations

from typing import Any

from conf.specs.strict_yaml import StrictModel


class SelectedCandidate(StrictModel):
    """The candidate that was selected, as it is registered; its network as it was kept after `update` updates.

    prices: what its actions commit and the price of money, as the policy holds them; None without a budget.
    """

    name: str
    update: int
    temperature: float
    policy_version: str
    prices: dict[str, Any] | None = None


class CandidateFigures(StrictModel):
    """A candidate as seen on the validation episodes, with the network and at the temperature chosen there.

    update: after how many updates the network was kept; n_updates: that training did; None where it isn't recorded.
    certainty: gain over the behavior policy in units of its standard error. is_supported: the log can judge it.
    gain_to_ship: what the gate could be expected to let through of its gain, in the reward's unit; None where the log
    had no chance of judging it, and in evaluations of releases that chose by certainty. shared_gain_to_ship: the same
    by what all its temperatures say of each; None but for the selected candidate where it had several to choose from.
    """

    name: str
    algorithm: str
    seed: int
    update: int | None = None
    n_updates: int | None = None
    temperature: float
    estimator: str
    value: float | None
    lower: float | None
    upper: float | None
    effective_sample_size: float | None
    seconds: float | None
    certainty: float | None = None
    gain_to_ship: float | None = None
    shared_gain_to_ship: float | None = None
    is_supported: bool = True
    is_selected: bool


class ActionShare(StrictModel):
    """How often an action is taken on the test episodes: by the log, and expected under the candidate."""

    action: str
    log: float
    candidate: float


class RankingFigures(StrictModel):
    """How well something guesses the next action on the test episodes: a policy or a baseline, by one metric."""

    ranker: str
    metric: str
    k: int
    value: float
    lower: float
    upper: float
    level: float
    n_decisions: int
    n_units: int
