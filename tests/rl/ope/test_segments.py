"""Values by segment, against closed-form values of the segments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import ROW_FIELDS, IntArray, LoggedEpisodes
from rl.data.shopper_segments import Segment
from rl.errors import EvaluationError
from rl.ope.estimators.registry import estimator
from rl.ope.estimators.weight_refits import PairedRefits, WeightRefits, extra_errors
from rl.ope.intervals.intervals import Resampling, standard_error
from rl.ope.intervals.sums import difference
from rl.ope.propensities.behavior_policy import PropensityRepeats
from rl.ope.samples.behavior_value import OnlyAction, as_one_action
from rl.ope.samples.q_function import action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from rl.ope.segments import SegmentFloors, SegmentReport, episodes_of, segment_values
from tests.rl.ope.tabular_mdp import TablePolicy, TableQ, TabularMdp, small_mdp

GAMMA = 0.9
NO_FLOORS = SegmentFloors(0.0, 0.0)
N_EPISODES = 3000


@pytest.fixture(scope="module")
def mdp() -> TabularMdp:
    return small_mdp()


@pytest.fixture(scope="module")
def behavior(mdp: TabularMdp) -> TablePolicy:
    return mdp.random_policy(1, sharpness=0.7)


@pytest.fixture(scope="module")
def candidate(mdp: TabularMdp) -> TablePolicy:
    return mdp.random_policy(2)


@pytest.fixture(scope="module")
def log(mdp: TabularMdp, behavior: TablePolicy) -> LoggedEpisodes:
    return mdp.log(behavior, n_episodes=N_EPISODES, seed=0, n_units=1000)


def first_state(log: LoggedEpisodes) -> IntArray:
    return np.asarray(log.features[log.offsets[:-1]].argmax(axis=1))


def segments(log: LoggedEpisodes) -> tuple[Segment, ...]:
    """Episodes by the state they start in."""
    return tuple(Segment("start", str(state), first_state(log) == state) for state in range(4))


def samples(mdp: TabularMdp, policy: TablePolicy, log: LoggedEpisodes) -> tuple[EvaluationSample, EvaluationSample]:
    """The policy's sample and the behavior policy's, each with a poor Q-function of its own."""
    q = TableQ(0.5 * mdp.exact_q(policy, gamma=GAMMA))
    logger = mdp.random_policy(1, sharpness=0.7)
    state_value = 0.5 * (logger.table * mdp.exact_q(logger, gamma=GAMMA)).sum(axis=1)
    as_logged = action_values(TableQ(state_value[:, None]), OnlyAction(), as_one_action(log))
    return (
        evaluation_sample(policy, log, discount=DiscountFunction(GAMMA), values=action_values(q, policy, log)),
        evaluation_sample(None, log, discount=DiscountFunction(GAMMA), values=as_logged),
    )


def report(
    both: tuple[EvaluationSample, EvaluationSample],
    log: LoggedEpisodes,
    *,
    estimator_name: str = "dr",
    floors: SegmentFloors = NO_FLOORS,
    refits: PairedRefits = (None, None),
) -> SegmentReport:
    return segment_values(
        *both,
        segments(log),
        estimator_name=estimator_name,
        floors=floors,
        confidence=0.95,
        resampling=Resampling(n_draws=300),
        refits=refits,
    )


@pytest.mark.parametrize("estimator_name", ["pdis", "wpdis", "dr", "wdr"])
def test_segment_values_meet_the_closed_form(
    mdp: TabularMdp, behavior: TablePolicy, candidate: TablePolicy, log: LoggedEpisodes, estimator_name: str
) -> None:
    """By first state, candidate, baseline and gain lie within 4 standard errors of the state's true values."""
    found = report(samples(mdp, candidate, log), log, estimator_name=estimator_name)
    truth, before = ((policy.table * mdp.exact_q(policy, gamma=GAMMA)).sum(axis=1) for policy in (candidate, behavior))
    for state, value in enumerate(found.values):
        for interval, expected in (
            (value.candidate, truth[state]),
            (value.baseline, before[state]),
            (value.gain, truth[state] - before[state]),
        ):
            assert interval is not None
            assert abs(interval.value - expected) < 4 * interval.standard_error


def test_segments_of_all_episodes_are_the_whole_log(
    mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes
) -> None:
    """A segment that holds everything has the whole log's value and standard error."""
    both = samples(mdp, candidate, log)
    everyone = Segment("all", "everyone", np.ones(N_EPISODES, dtype=bool))
    found = segment_values(
        *both, (everyone,), estimator_name="wpdis", floors=NO_FLOORS, confidence=0.95, resampling=Resampling(200)
    ).values[0]
    whole = difference(*(estimator("wpdis").per_unit_sums(sample) for sample in both))
    assert found.gain is not None
    assert found.gain.value == pytest.approx(whole.value(), rel=1e-12)
    assert found.gain.standard_error == pytest.approx(standard_error(whole), rel=1e-12)
    assert found.share == 1.0


def test_a_sample_of_some_episodes_is_the_sample_of_their_log(
    mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes
) -> None:
    """Cutting the sample gives what evaluating those episodes alone gives."""
    is_kept = first_state(log) == 2
    cut = episodes_of(samples(mdp, candidate, log)[0], is_kept)
    rows = np.repeat(is_kept, log.lengths)
    alone = replace(
        log,
        **{name: getattr(log, name)[rows] for name in ROW_FIELDS},
        unit=log.unit[is_kept],
        start_time=log.start_time[is_kept],
        offsets=np.concatenate([[0], np.cumsum(log.lengths[is_kept])]),
    )
    expected = samples(mdp, candidate, alone)[0]
    for name in ("dm", "tis", "wis", "wpdis", "dr", "wdr"):
        found, wanted = (estimator(name).per_unit_sums(sample) for sample in (cut, expected))
        np.testing.assert_array_equal(found.unit_ids, wanted.unit_ids)
        np.testing.assert_allclose(found.numerators, wanted.numerators, rtol=1e-12)
        np.testing.assert_allclose(found.denominators, wanted.denominators, rtol=1e-12)


def test_segments_below_the_floors_show_no_number(mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes) -> None:
    """A segment with fewer effective shoppers, or fewer rewarded ones, says how many it has instead of a value."""
    both = samples(mdp, candidate, log)
    sizes = [value.effective_sample_size or 0.0 for value in report(both, log).values]
    floor = sorted(sizes)[1] + 1
    found = report(both, log, floors=SegmentFloors(floor, 0.0))
    refused = [value for value in found.values if value.refusal]
    assert len(refused) == 2
    assert all(value.gain is None and value.candidate is None and value.baseline is None for value in refused)
    assert all(f"of {floor:,.0f} needed" in str(value.refusal) for value in refused)
    assert "rewarded" in str(report(both, log, floors=SegmentFloors(0.0, 1e9)).values[0].refusal)


def test_intervals_are_simultaneous_over_the_segments_shown(
    mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes
) -> None:
    """Bonferroni: four segments share the 5%, two shown share it between two; the intervals widen with their number."""
    both = samples(mdp, candidate, log)
    four = report(both, log)
    floor = sorted(value.effective_sample_size or 0.0 for value in four.values)[1] + 1
    two = report(both, log, floors=SegmentFloors(floor, 0.0))
    assert (four.n_shown, two.n_shown) == (4, 2)
    assert four.level == pytest.approx(1 - 0.05 / 4)
    assert two.level == pytest.approx(1 - 0.05 / 2)
    for wide, narrow in zip(four.values, two.values, strict=True):
        if narrow.gain is not None and wide.gain is not None:
            assert wide.gain.upper - wide.gain.lower > narrow.gain.upper - narrow.gain.lower


def test_segments_without_weights_are_refused(mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes) -> None:
    """Where the log can't be weighted, every segment says so."""
    blind = replace(log, propensity=np.full(log.n_transitions, np.nan))
    found = report(samples(mdp, candidate, blind), blind)
    assert {value.refusal for value in found.values} == {"the log can't be weighted"}
    assert found.n_shown == 0


def test_an_estimator_that_refuses_gives_its_reason(
    mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes
) -> None:
    """Without a fitted Q-function, the doubly robust estimator's own words stand in each segment."""
    bare = tuple(replace(sample, values=None) for sample in samples(mdp, candidate, log))
    found = report((bare[0], bare[1]), log)
    assert {value.refusal for value in found.values} == {"no Q-function was fitted for this policy"}


def test_segments_need_both_policies_on_the_same_episodes(
    mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes
) -> None:
    """A baseline on other shoppers is an error, and so is a segment without episodes."""
    both = samples(mdp, candidate, log)
    other = replace(both[1], unit_ids=both[1].unit_ids + 1)
    with pytest.raises(EvaluationError, match="same episodes"):
        report((both[0], other), log)
    nobody = Segment("start", "nobody", np.zeros(N_EPISODES, dtype=bool))
    with pytest.raises(EvaluationError, match="nobody"):
        segment_values(
            *both, (nobody,), estimator_name="dr", floors=NO_FLOORS, confidence=0.95, resampling=Resampling(100)
        )


def test_gains_of_all_segments_lie_in_their_intervals_at_once(
    mdp: TabularMdp, behavior: TablePolicy, candidate: TablePolicy
) -> None:
    """Of 50 logs, 95% or more should hold all four true gains; fewer than 43 would be a chance of 3 in a thousand."""
    truth, before = ((policy.table * mdp.exact_q(policy, gamma=GAMMA)).sum(axis=1) for policy in (candidate, behavior))
    n_held = 0
    for seed in range(50):
        small = mdp.log(behavior, n_episodes=800, seed=seed, n_units=200)
        gains = [value.gain for value in report(samples(mdp, candidate, small), small).values]
        n_held += all(
            gain is not None and gain.lower <= truth[state] - before[state] <= gain.upper
            for state, gain in enumerate(gains)
        )
    assert n_held >= 43


def test_segments_are_widened_for_estimated_propensities(
    mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes
) -> None:
    """Where fits of the propensities disagree, each segment's standard error grows by what its own rows show."""
    rng = np.random.default_rng(0)
    fits = np.clip(log.propensity * np.exp(0.2 * rng.normal(size=(2, 3, log.n_transitions))), 0.01, 1.0)
    repeats = PropensityRepeats(fits[:, 0], fits)
    estimated = replace(log, propensity=repeats.pooled())
    both = samples(mdp, candidate, estimated)
    refits = WeightRefits.of(repeats, np.ones(log.n_transitions, dtype=bool))
    plain, wide = report(both, log), report(both, log, refits=(refits, None))
    for segment, before, after in zip(segments(log), plain.values, wide.values, strict=True):
        rows = np.repeat(segment.is_member, log.lengths)
        part = (episodes_of(both[0], segment.is_member), episodes_of(both[1], segment.is_member))
        extra = extra_errors(part, (refits.at(rows), None), "dr").gain
        assert before.gain is not None
        assert after.gain is not None
        assert after.gain.standard_error == pytest.approx(np.hypot(before.gain.standard_error, extra), rel=1e-12)
        assert after.gain.standard_error > before.gain.standard_error
        assert after.baseline == before.baseline
