"""The choice of candidate and temperature."""

from __future__ import annotations

import numpy as np
import pytest

import rl.night.selection
from conf.observation_features import id_hash
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.gate.close_call import SeedSpread
from rl.night.gate_ahead import GateAhead
from rl.night.selection import Selection, select_candidate
from rl.night.single_decisions import NOTE, SingleDecisionGain
from rl.night.temperature_gains import TemperatureGains
from rl.ope.intervals.intervals import Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import EvaluationSettings
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary
from rl.policy.network import DenseNetwork
from rl.policy.observation_encoder import ColumnEncoding
from tests.rl.factories import make_logged_episodes

N_ACTIONS, GOOD = 3, 1


def policy(name: str, logits: list[float]) -> StochasticPolicy:
    """A policy that prefers actions by these logits, whatever it sees."""
    keys = tuple(f"item-{i}" for i in range(N_ACTIONS))
    network = DenseNetwork((np.zeros((N_ACTIONS, 1), dtype=np.float32),), (np.array(logits, dtype=np.float32),))
    return StochasticPolicy(
        name=name,
        network=network,
        encoder=ObservationEncoder((ColumnEncoding("session_step", "count"),)),
        vocabulary=Vocabulary(keys, tuple(id_hash(key) for key in keys), has_other=False),
        output_scale=1.0,
        temperature=1.0,
        exploration_floor=0.05,
        is_other_chosen=False,
        dataset_digest="digest",
    )


def bandit_log(n: int, *, seed: int = 0, **values: object) -> LoggedEpisodes:
    """One-step episodes under a uniform choice; the good action earns 1 with probability .6, others with .2."""
    generator = np.random.default_rng(seed)
    action = generator.integers(0, N_ACTIONS, n)
    reward = (generator.random(n) < np.where(action == GOOD, 0.6, 0.2)).astype(float)
    features = np.zeros((n, 1), dtype=np.float32)
    content = {"action": action.astype(np.int64), "reward": reward, "features": features, "next_features": features}
    return make_logged_episodes([1] * n, N_ACTIONS, **{**content, **values})


def number(value: float | None) -> float:
    """The value, which is known."""
    assert value is not None
    return value


def select(
    candidates: dict[str, StochasticPolicy] | None = None, *, estimator: str = "pdis", **overrides: object
) -> Selection:
    settings = EvaluationSettings(
        discount=DiscountFunction(1.0), resampling=Resampling(n_draws=200), fqe=FqeSettings(method="linear")
    )
    candidates = candidates or {"bad-1": policy("bad-1", [2.0, 0.0, 0.0]), "good-1": policy("good-1", [0.0, 2.0, 0.0])}
    arguments = {
        "train": bandit_log(300, seed=1),
        "validation": bandit_log(600, seed=2),
        "settings": settings,
        "estimator": estimator,
        "temperatures": (0.5, 4.0),
        "is_logged": True,
        "ahead": GateAhead(50, 20),
    }
    return select_candidate(candidates, **{**arguments, **overrides})  # type: ignore[arg-type]  # by keyword


def test_the_better_policy_is_selected_at_its_better_temperature() -> None:
    """The one that prefers the good action wins, and sharper is surer for it."""
    selection = select()
    assert (selection.best.policy.name, selection.best.policy.temperature) == ("good-1", 0.5)
    assert (selection.estimator, selection.note) == ("pdis", "")


def test_imitators_are_shown_and_selected_only_where_there_is_nobody_else() -> None:
    """Though it ranks first, the imitator stands behind the other candidate; among imitators the first is selected."""
    selection = select(imitators=["good-1"])
    assert selection.best.policy.name == "bad-1"
    assert [choice.policy.name for choice in selection.by_candidate] == ["bad-1", "good-1"]
    assert selection.by_candidate[1].rank > selection.best.rank
    assert select(imitators=["good-1", "bad-1"]).best.policy.name == "good-1"


def test_each_candidate_stands_at_its_own_best_temperature() -> None:
    """Every candidate is listed once, in the given order, at the temperature that ranks first for it."""
    selection = select()
    assert [choice.policy.name for choice in selection.by_candidate] == ["bad-1", "good-1"]
    assert selection.by_candidate[1] is selection.best
    assert [choice.policy.temperature for choice in selection.at_temperatures] == [0.5, 4.0]
    assert {choice.policy.name for choice in selection.at_temperatures} == {"good-1"}
    assert len(selection.reports) == 8


def test_a_guess_that_hardly_passes_the_gate_stands_behind_a_sure_gain() -> None:
    """The action that the log hardly knows looks best; the one it knows well brings more, by what passes the gate."""
    rates, rewards = np.array([0.495, 0.495, 0.01]), np.array([0.2, 0.6, 0.8])
    action = np.repeat(np.arange(N_ACTIONS), (400 * rates).round().astype(int))
    log = bandit_log(400, action=action, reward=rewards[action], propensity=rates[action])
    known = {"rare-1": policy("rare-1", [0.0, 0.0, 9.0]), "known-1": policy("known-1", [0.0, 9.0, 0.0])}
    rare, sure = select(known, temperatures=(1.0,), validation=log, ahead=GateAhead(1, 1)).by_candidate
    assert number(rare.report.value) > number(sure.report.value)
    assert number(rare.gain_to_ship) < number(sure.gain_to_ship)
    assert rare.rank < sure.rank


def test_a_policy_that_the_log_cannot_judge_is_not_selected() -> None:
    """Whatever its value, a policy below the floors stands behind all that meet them."""
    sizes = {r.policy: number(r.effective_sample_size) for r in select().reports if r.estimator == "pdis"}
    between = (sizes["good-1 at 0.5"] + sizes["good-1 at 4"]) / 2
    best = select(ahead=GateAhead(between, 1)).best
    assert best.policy.temperature == 4.0
    assert best.is_supported


def test_where_nothing_can_be_judged_the_largest_cautious_gain_is_selected() -> None:
    """With floors out of reach a good policy far from the log goes to the gate, not a bad one near to it."""
    tame = {"tame-1": policy("tame-1", [0.2, 0.0, 0.0]), "good-1": policy("good-1", [0.0, 3.0, 0.0])}
    selection = select(tame, temperatures=(1.0,), ahead=GateAhead(1e9, 1e9))
    near, good = selection.by_candidate
    assert number(near.report.n_effective_rewarded) > number(good.report.n_effective_rewarded)
    assert selection.best is good
    assert not good.is_supported
    assert number(good.cautious_gain) > 0 > number(near.cautious_gain)


class _Told:
    """Tells of single decisions what a test says."""

    def __init__(self, **gains: float) -> None:
        self.told = gains

    def gains(self, policies: dict[str, StochasticPolicy]) -> dict[str, SingleDecisionGain]:
        return {name: SingleDecisionGain(self.told[name.partition("-")[0]], 0.1) for name in policies}


@pytest.mark.parametrize(("floor", "best"), [(1e9, "bad-1"), (50, "good-1")])
def test_single_decisions_rank_only_where_no_policy_is_likely_to_pass(floor: float, best: str) -> None:
    """Within reach of the floors the estimator decides, whatever they tell; beyond, they do, with a note."""
    selection = select(ahead=GateAhead(floor, floor), single_decisions=_Told(bad=0.5, good=0.2))
    assert selection.best.policy.name == best
    assert (selection.note == NOTE) == (best == "bad-1")


def test_single_decisions_rank_where_all_that_can_be_judged_is_found_worse() -> None:
    """Every policy prefers the worst action, by plenty of shoppers: none would pass, so single decisions decide."""
    worse = {"bad-1": policy("bad-1", [9.0, 0.0, 0.0]), "worse-1": policy("worse-1", [12.0, 0.0, 0.0])}
    selection = select(
        worse,
        validation=bandit_log(6000, seed=2),
        temperatures=(1.0,),
        single_decisions=_Told(bad=0.2, worse=0.5),
    )
    assert min(number(one.report.effective_sample_size) for one in selection.by_candidate) > 1000
    assert all(one.gain_to_ship is not None for one in selection.by_candidate)
    assert (selection.best.policy.name, selection.note) == ("worse-1", NOTE)


def test_temperatures_of_the_selected_candidate_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each says its gain, how far they err together, and what the Q-function says; what comes of it decides."""
    asked: list[tuple[FloatArray, FloatArray, FloatArray]] = []

    def told(gain: FloatArray, covariance: FloatArray, predicted: FloatArray) -> TemperatureGains:
        asked.append((gain, covariance, predicted))
        return TemperatureGains(np.array([0.01, 0.05]), np.array([0.001, 0.001]))

    monkeypatch.setattr(rl.night.selection, "temperature_gains", told)
    plain = select(temperatures=(0.5,)).best, select(temperatures=(4.0,)).best
    selection = select()
    assert (selection.best.policy.name, selection.best.policy.temperature) == ("good-1", 4.0)
    assert selection.by_candidate[1] is selection.best
    ((gain, covariance, predicted),) = asked[-1:]
    np.testing.assert_allclose(gain, [number(one.gain) for one in plain])
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), [number(one.error) for one in plain])
    together = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert together == pytest.approx(1.0), "of single decisions both move by the same shoppers in the same way"
    assert predicted == pytest.approx(gain, abs=0.1)
    assert predicted[0] > 2 * predicted[1] > 0
    expected = GateAhead(50, 20).gain_to_ship(0.05, 0.001, estimate_error=number(selection.best.error))
    assert selection.best.shared_gain_to_ship == pytest.approx(expected, rel=1e-6)


def test_seeds_are_apart_by_what_ranks_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the selected one moved to another temperature is no difference between seeds, nor is who was selected."""
    two = {f"good-{seed}": policy(f"good-{seed}", [0.0, 2.0, 0.1 * seed]) for seed in (1, 2)}
    plain = select(two)
    together = TemperatureGains(np.array([0.01, 0.05]), np.array([0.001, 0.001]))
    monkeypatch.setattr(rl.night.selection, "temperature_gains", lambda *_: together)
    moved = select(two)
    assert (plain.best.policy.temperature, moved.best.policy.temperature) == (0.5, 4.0)
    assert moved.best.policy.name == plain.best.policy.name
    assert moved.seeds == plain.seeds
    assert number(plain.seeds.gain) > 0


def test_without_luck_all_temperatures_together_say_what_each_says() -> None:
    """The sharper one gains more at plenty of shoppers; where nothing may pass, nothing is told together."""
    assert select().best.shared_gain_to_ship == pytest.approx(number(select().best.gain_to_ship), rel=0.1)
    beyond = select(ahead=GateAhead(1e9, 1e9)).best
    single = select(ahead=GateAhead(1e9, 1e9), single_decisions=_Told(bad=0.1, good=0.5)).best
    assert beyond.shared_gain_to_ship is None
    assert single.shared_gain_to_ship is None
    assert all(one.shared_gain_to_ship is None for one in select().by_candidate[:1])


def test_a_gain_of_single_decisions_is_less_its_error() -> None:
    """One standard error is taken off."""
    assert SingleDecisionGain(0.5, 0.2).cautious == pytest.approx(0.3)


def test_a_gain_that_is_mostly_error_is_not_selected() -> None:
    """Below the floors the standard error is taken off: a large guess on few rewards stands behind a sure gain."""
    rates, rewards = np.array([0.48, 0.48, 0.04]), np.array([0.2, 0.9, 1.3])
    generator = np.random.default_rng(3)
    action = generator.choice(N_ACTIONS, 120, p=rates).astype(np.int64)
    log = bandit_log(120, action=action, reward=rewards[action], propensity=rates[action])
    known = {"rare-1": policy("rare-1", [0.0, 0.0, 9.0]), "known-1": policy("known-1", [0.0, 9.0, 0.0])}
    rare, sure = select(known, temperatures=(1.0,), validation=log, ahead=GateAhead(1e9, 1e9)).by_candidate
    assert number(rare.report.value) > number(sure.report.value)
    assert rare.rank < sure.rank


def test_the_selected_policy_carries_its_temperature_in_its_version() -> None:
    """What is evaluated and registered later is the policy at the chosen temperature."""
    best = select().best.policy
    assert best.version == best.with_temperature(0.5).version != best.with_temperature(4.0).version


def test_a_refused_estimator_falls_back_to_the_direct_method() -> None:
    """Where propensities are unknown, the direct method decides, and the note says why."""
    unknown = bandit_log(600, seed=2, propensity=np.full(600, np.nan))
    selection = select(validation=unknown)
    assert selection.estimator == "dm"
    assert "instead of pdis" in selection.note
    assert selection.best.policy.name == "good-1"


def test_the_first_candidate_is_taken_where_none_can_be_valued() -> None:
    """A validation split of one shopper values nobody; the night goes on to the gate, and the note says so."""
    alone = bandit_log(600, seed=2, unit=np.zeros(600, dtype=np.int64))
    selection = select(validation=alone)
    assert selection.best.policy.name == "bad-1"
    assert selection.best.report.value is None
    assert "none could be valued on validation episodes: an interval needs at least two units" in selection.note


def test_nothing_to_choose_from_is_an_error() -> None:
    """Without temperatures (or candidates) there is no choice."""
    with pytest.raises(EvaluationError, match="train one first"):
        select(temperatures=())


def test_seeds_of_the_selected_algorithm_tell_how_far_a_seed_moves_the_gain() -> None:
    """Other algorithms' gains are no matter of a seed; of one seed nothing is known."""
    sharp, blunt, bad = (
        policy("good-1", [0.0, 2.0, 0.0]),
        policy("good-2", [0.0, 1.0, 0.0]),
        policy("bad-1", [2.0, 0, 0]),
    )
    found = select({"good-1": sharp, "good-2": blunt, "bad-1": bad}, temperatures=(1.0,))
    gains = [number(one.gain) for one in found.by_candidate[:2]]
    assert number(found.seeds.gain) == pytest.approx(abs(gains[0] - gains[1]) / np.sqrt(2))
    units = [number(one.report.effective_sample_size) for one in found.by_candidate[:2]]
    assert number(found.seeds.effective) == pytest.approx(abs(np.log(units[0] / units[1])) / np.sqrt(2))
    assert select({"good-1": sharp, "bad-1": bad}, temperatures=(1.0,)).seeds == SeedSpread()


def test_the_direct_method_tells_no_spread_of_seeds() -> None:
    """It has no gain in pairs, whose standard error would be known."""
    two = {"good-1": policy("good-1", [0.0, 2.0, 0.0]), "good-2": policy("good-2", [0.0, 1.0, 0.0])}
    assert select(two, estimator="dm").seeds.gain is None
