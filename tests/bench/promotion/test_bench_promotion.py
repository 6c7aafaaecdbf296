"""The benchmark of weekly offers runs on a small log, and its rows hold estimate and truth side by side."""

from __future__ import annotations

import numpy as np
import pytest

from rl.shops.promotion.simulate import simulate
from rl.shops.promotion.simulated_episodes import MILLIONTHS, episodes_from_simulation
from tests.bench.bench_promotion import mean_with_interval, seeds_of
from tests.bench.promotion.night_trial import ABOVE, MYOPIC, SELECTED, UNEXPLORING, NightTrial, Size
from tests.bench.promotion.peers_at_equal_spend import column_peers, expected_spend, row_peers, weekly_decisions
from tests.bench.promotion.tabular_trial import TabularTrial
from tests.bench.promotion.temperature_trial import TEMPERATURES, TemperatureTrial, shipped_by_rule


@pytest.fixture(scope="module")
def trial() -> NightTrial:
    return NightTrial.of(1, Size(n_shoppers=120, n_truth=150, is_small=True))


def test_the_log_is_the_one_that_the_shop_writes(trial: NightTrial) -> None:
    """Weeks, actions, profit and propensities are those of the simulation that the deliveries come from."""
    episodes = episodes_from_simulation(simulate(trial.night.settings))
    log = trial.night.log
    order = np.lexsort((log.week, log.shopper))
    assert np.array_equal(log.action[order], episodes.action)
    assert np.array_equal(log.reward[order], episodes.profit / MILLIONTHS)
    assert np.array_equal(log.propensity[order], episodes.propensity)


def test_episodes_are_blocks_of_weeks(trial: NightTrial) -> None:
    """Time ends each after four weeks, or sooner where the shopper joins or the log begins in a block."""
    for split in ("train", "validation", "test"):
        episodes = trial.night.episodes(split)
        assert episodes.lengths.max() == 4
        assert (episodes.lengths == 4).mean() > 0.75
        assert not episodes.terminal.any()


def test_estimate_and_truth_stand_side_by_side(trial: NightTrial) -> None:
    """The gain with its interval, the true one, and a verdict with its reasons."""
    row = trial.estimate()
    assert row["lower"] < row["gain"] < row["upper"]
    assert row["is_inside"] == (row["lower"] <= row["true_gain"] <= row["upper"])
    assert row["verdict"] in ("promote", "reject", "abstain")
    assert abs(row["behavior"] - row["true_behavior"]) < 0.4 * row["true_behavior"]


def test_each_peer_is_compared_at_equal_spend(trial: NightTrial) -> None:
    """With its profit and spend, how far the selected policy is above it, paired; as planned, nobody spends more."""
    rows = {row["policy"]: row for row in trial.worths()}
    for name in (SELECTED, UNEXPLORING, MYOPIC, "nobody", "random", "behavior", "rfm", "t_learner", "dr_learner"):
        assert name in rows
    for name, row in rows.items():
        for key, whose in ABOVE.items():
            if name != whose:
                assert row[key] == pytest.approx(rows[whose]["profit"] - row["profit"], abs=0.002)
    assert rows["nobody"]["committed"] == 0


def test_peers_plan_for_the_spend_and_no_more(trial: NightTrial) -> None:
    """Rules are thinned to it or can't reach it; learners of effects are priced to it or find no more worth it."""
    night, spend = trial.night, trial.spend
    found = row_peers(trial.policy, night, spend)
    assert {"t_learner", "dr_learner"} < found.keys()
    assert any(name.endswith("likely buyers first") for name in found)
    for name, peer in found.items():
        assert expected_spend(peer, night) <= spend * (1 + 1e-6), name


def test_offers_to_anybody_are_thinned_to_the_spend(trial: NightTrial) -> None:
    """Of dear offers a share is sent that commits the spend on validation weeks, of cheap ones all."""
    night, spend = trial.night, trial.spend
    mask, costs = night.episodes("validation").mask(), np.array(night.committed) / 1e6
    found = column_peers(night, spend)
    for name in ("everybody_letter_10", "random"):
        chances = found[name]({"week": np.zeros(len(mask), dtype=np.int64)}, mask)
        assert (chances @ costs).mean() == pytest.approx(spend), name
    everybody = found["everybody_reminder"]({"week": np.zeros(len(mask), dtype=np.int64)}, mask)
    assert (everybody[mask[:, 1], 1] == 1).all()


def test_decisions_of_the_week_sum_the_weeks_that_follow(trial: NightTrial) -> None:
    """Of one week the reward alone; of four the discounted rewards of the shopper's next three, too."""
    night, log = trial.night, trial.night.log
    alone, four = weekly_decisions(night, 1), weekly_decisions(night, 4)
    assert four.n < alone.n
    gamma = night.pipeline.scenario.discount.gamma
    earned = {
        (int(who), int(week)): float(value) for who, week, value in zip(log.shopper, log.week, log.reward, strict=True)
    }
    times, span = night.decision_times, night.intervals["train"]
    rows = [row for row in range(len(log.week)) if times[log.week[row]] >= span.start][: four.n]
    for place in (0, four.n // 2, four.n - 1):
        who, week = int(log.shopper[rows[place]]), int(log.week[rows[place]])
        expected = sum(gamma**later * earned[who, week + later] for later in range(4))
        assert four.outcome[place] == pytest.approx(expected)
        assert alone.outcome[place] == earned[who, week]


def test_the_tabular_shop_is_compared_at_the_policy_s_own_spend() -> None:
    """The exact myopic policy and optimum spend what the learner's does, and the optimum is above both."""
    for row in TabularTrial.of(1, n_shoppers=300, candidate={"n_updates": 30}).rows():
        assert row["myopic_spend"] <= row["spend"] + 1e-4
        assert row["best"] >= max(row["profit"], row["myopic"])
        assert row["closed"] == pytest.approx((row["profit"] - row["myopic"]) / (row["best"] - row["myopic"]), abs=0.01)


def test_seeds_are_a_number_or_from_one_to_another() -> None:
    assert seeds_of("3") == [1, 2, 3]
    assert seeds_of("6-8") == [6, 7, 8]


def test_the_interval_over_logs_is_student_s() -> None:
    """Of 1, 2 and 3 around 2, by the table's 4.303; one log has none."""
    assert mean_with_interval([1.0, 2.0, 3.0]) == {"mean": 2.0, "lower": -0.484, "upper": 4.484, "logs": 3}
    assert mean_with_interval([1.0])["lower"] is None


def test_each_temperature_stands_beside_its_truth_and_who_selects_it() -> None:
    """Every rule selects one of them, the narrow ones none of those that they don't know."""
    rows = TemperatureTrial.of(1, Size(n_shoppers=120, n_truth=150, is_small=True)).rows()
    assert [row["temperature"] for row in rows] == [*TEMPERATURES]
    rules = [key for key in rows[0] if key.startswith("selected_")]
    assert len(rules) == 4
    assert all(sum(row[rule] for row in rows) == 1 for rule in rules)
    assert not any(rows[-1][rule] for rule in rules if rule.endswith("of_two"))
    assert all(row["shipped"] == (row["true_gain"] if row["verdict"] == "promote" else 0.0) for row in rows)


def test_what_rules_ship_is_a_mean_over_nights() -> None:
    """Of two nights, in one of which the selected temperature is promoted."""
    rows = [
        {"seed": seed, "temperature": t, "true_gain": g, "shipped": s, "selected_a": a, "selected_b": not a}
        for seed, t, g, s, a in ((1, 0.1, 0.6, 0.0, True), (1, 0.3, 0.5, 0.5, False), (2, 0.1, 0.4, 0.4, True))
    ] + [{"seed": 2, "temperature": 0.3, "true_gain": 0.3, "shipped": 0.3, "selected_a": False, "selected_b": True}]
    found = shipped_by_rule(rows)
    assert found["nights"] == 2
    assert (found["a"], found["b"]) == ({"shipped": 0.2, "promoted": 1}, {"shipped": 0.4, "promoted": 2})
    assert found["at 0.1"] == {"true_gain": 0.5, "shipped": 0.2, "promoted": 1}
