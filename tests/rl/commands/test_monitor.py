"""The command that watches what is served: what it finds, tells and does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rl.registry.exploration as exploring_room
from conf.paths import Run, alerts_log
from conf.pseudonyms import pseudonym
from conf.specs.scenario import Pipeline
from rl.commands import monitor
from rl.errors import ServingError
from rl.exploration.strata import EVERYBODY
from rl.figures.exploration import PLAN_FILE, ExplorationPlan
from rl.figures.monitor import ChangeFigures, MonitorFigures, read_monitor
from rl.policy import StochasticPolicy
from rl.registry.approvals import read_approvals
from rl.registry.exploration import set_exploring
from rl.registry.launches import Stage, launches, running_launch
from rl.registry.person import Person
from rl.registry.store import aliases, open_store
from rl.registry.versions import load_version
from rl.rollout.assignment import is_control
from rl.serving.explored import Explored
from tests.rl.factories import make_row
from tests.rl.monitor import served_days
from tests.rl.monitor.served_days import SHARE, ServedHome, champion, launched_home
from tests.rl.policy.policies import make_policy
from tests.rl.serving.served_home import ACTIONS, FIRST, KEY, MODEL, SCENARIO, SOURCE, register, settings_at

pytestmark = pytest.mark.xdist_group("monitor")

START = FIRST + timedelta(days=2)
N_DAYS = 12


def look(served: ServedHome, day: date, **arguments: Any) -> tuple[dict[str, Any], MonitorFigures | None]:
    """The command's result for a date, and the figures that it left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor, "load_pipeline", lambda *_: served.pipeline)
        result = monitor.run(settings=served.settings, source=SOURCE, scenario=SCENARIO, run_date=day, **arguments)
    path = Run(served.home, SOURCE, SCENARIO, day).monitor
    return result, read_monitor(path) if path.exists() else None


def lived(served: ServedHome, n_days: int = N_DAYS, **last: Any) -> date:
    """The last of so many served days; on it something may be otherwise."""
    for number in range(n_days):
        served.serve(START + timedelta(days=number), **(last if number == n_days - 1 else {}))
    return START + timedelta(days=n_days - 1)


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[float, float]], Path]:
    """Homes with two launches, by the promise of the second, made once each: MLflow takes seconds."""

    @cache
    def of(promised: tuple[float, float]) -> Path:
        home = tmp_path_factory.mktemp("launched") / "home"
        home.mkdir()
        launched_home(home, promised)
        return home

    return of


@pytest.fixture
def made(launched: Callable[[tuple[float, float]], Path], tmp_path: Path) -> Callable[..., ServedHome]:
    def of(promised: tuple[float, float] = (0.5, 0.3), **values: Any) -> ServedHome:
        home = tmp_path / "home"
        shutil.copytree(launched(promised), home)
        return ServedHome(home, champion(), **values)

    return of


def test_a_kept_promise_stands_beside_what_was_earned(made: Callable[..., ServedHome]) -> None:
    served = made(gain=0.5)
    last = lived(served)
    result, found = look(served, last)
    assert found is not None
    earned, own = found.launch.earned, found.launch
    assert (found.version, own.promised.value, own.standing) == (2, 0.5, "kept")
    assert earned.lower < 0.5 < earned.upper
    assert earned.n_days == N_DAYS - served.pipeline.settle_days
    assert [one.is_settled for one in found.days] == [True] * earned.n_days + [False] * served.pipeline.settle_days
    assert abs(own.score) < 3
    assert result["alerts"] == []
    assert "the promise is kept" in Run(served.home, SOURCE, SCENARIO, last).monitor_page.read_text()


def test_the_decisions_are_asked_again_and_all_arrived(made: Callable[..., ServedHome]) -> None:
    """The champion gives each row the propensity that was logged, so that all can be compared."""
    served = made()
    last = lived(served, 3)
    found = look(served, last)[1]
    assert [one.n_explained for one in found.frequencies] == [one.n_decisions for one in found.frequencies]
    assert all(one.p_value > 1e-4 for one in found.frequencies)
    assert [(one.n_logged, one.n_missing, one.n_strange) for one in found.arrivals][-1][1:] == (0, 0)
    assert found.arrivals[-1].n_logged == found.frequencies[-1].n_decisions
    assert (found.other_features, found.unknown_items, found.fallback) == (0.0, 0.0, 0.0)


def test_a_service_that_lies_about_its_propensities_is_told(made: Callable[..., ServedHome]) -> None:
    served = made(n_shoppers=400)
    for number in range(4):
        served.serve(START + timedelta(days=number), liar=True)
    result, found = look(served, START + timedelta(days=3))
    assert max(one.p_value or 0.0 for one in found.frequencies) < 1e-6
    assert all(one.p_value is not None for one in found.frequencies)
    assert any("otherwise than their logged propensities" in one for one in result["alerts"])


def test_propensities_that_are_all_wrong_are_told(
    made: Callable[..., ServedHome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each half of what the policy gives: no decision can be compared, so that nothing else could tell."""
    served = made()

    def halved(pipeline: Pipeline, **row: Any) -> dict[str, Any]:
        return make_row(pipeline, **row | {"propensity": (row["propensity"] / 2).quantize(Decimal("1e-15"))})

    for number in range(5):
        if number == 2:
            monkeypatch.setattr(served_days, "make_row", halved)
        served.serve(START + timedelta(days=number))
    result, found = look(served, START + timedelta(days=4))
    whole = 4 - served.pipeline.source.lateness_days
    told = [one.day for one in found.alerts if one.kind == "unexplained_decisions"]
    assert told == [START + timedelta(days=number) for number in range(2, whole + 1)] != []
    assert any("has the propensity that the champion gives" in one for one in result["alerts"])


def test_missing_and_strange_decisions_are_told_by_name_once(made: Callable[..., ServedHome]) -> None:
    served = made()
    lateness = served.pipeline.source.lateness_days
    lived(served, 3)
    served.serve(START, missing=4, strange=2)
    result, found = look(served, START + timedelta(days=lateness))
    told = {one.day: one for one in found.arrivals}[START]
    assert (told.n_missing, told.n_strange, len(told.missing)) == (4, 2, 4)
    assert [one.kind for one in found.alerts] == ["missing_decisions", "strange_decisions"]
    Run(served.home, SOURCE, SCENARIO, START + timedelta(days=lateness)).monitor.write_text("{}")
    again, _ = look(served, START + timedelta(days=lateness))
    assert len(result["alerts"]) == 2 and again["alerts"] == []
    lines = [json.loads(line) for line in alerts_log(served.home).read_text().splitlines()]
    assert [one["kind"] for one in lines] == ["missing_decisions", "strange_decisions"]


def test_a_day_whose_log_is_missing_is_told_with_the_file_to_put_back(made: Callable[..., ServedHome]) -> None:
    """Also where it lies behind nights that were skipped."""
    served = made(gain=0.5)
    lateness = served.pipeline.source.lateness_days
    last = lived(served, lateness + 5)
    look(served, START)
    path = served.log / f"decisions-{START + timedelta(days=1)}.jsonl"
    content = path.read_text()
    path.unlink()
    result, found = look(served, last)
    assert found is not None
    told = {one.day: one for one in found.arrivals}
    assert sorted(told) == [START + timedelta(days=number) for number in range(lateness + 5)][-len(told) :]
    assert START + timedelta(days=1) < last - timedelta(days=lateness + 1)
    assert (told[START + timedelta(days=1)].n_logged, told[START + timedelta(days=1)].log_file) == (0, str(path))
    assert result["alerts"] == [one.sentence for one in found.alerts]
    assert [one.kind for one in found.alerts] == ["strange_decisions"]
    assert f"put back {path}" in result["alerts"][0]
    path.write_text(content)
    again = look(served, last)[1]
    assert again is not None and again.alerts == ()


def test_a_folder_without_any_log_is_no_service_s(made: Callable[..., ServedHome], tmp_path: Path) -> None:
    served = made()
    last = lived(served, 3)
    found = look(served, last, decisions=tmp_path / "elsewhere")[1]
    assert found is not None and (found.arrivals, found.alerts) == ((), ())
    assert "name the service's folder (--decisions)" in (found.arrivals_refusal or "")


@pytest.fixture
def exploring(made: Callable[..., ServedHome], monkeypatch: pytest.MonkeyPatch) -> Callable[..., ServedHome]:
    """Homes in which half of the champion's decisions follow the plan of version 3, whose favorites are worth more."""
    other = make_policy(*ACTIONS, seed=7)

    def of(*, is_approved: bool = True, **values: Any) -> ServedHome:
        served = made(**values)
        plan = ExplorationPlan(
            model=MODEL,
            version=register(served.home, 2, other),
            champion=2,
            dimension=EVERYBODY,
            shares={EVERYBODY: 0.5},
            last_day=START + timedelta(days=100),
        )
        served.explored = Explored.of(plan, other, 0.5)
        served.worth = tuple(4.0 * (mean_probabilities(other) > 1.2 * mean_probabilities(served.policy)))
        monkeypatch.setattr(exploring_room, "load_pipeline", lambda *_: served.pipeline)
        with open_store(served.settings) as client:
            registered = load_version(client, MODEL, 3)
            assert registered is not None
            client.log_text(registered.run_id, plan.model_dump_json(), PLAN_FILE)
            if is_approved:
                set_exploring(client, served.settings, MODEL, Person("ann", "to learn"), 3)
        return served

    return of


def mean_probabilities(policy: StochasticPolicy) -> np.ndarray:
    """Of each action, over first decisions that have seen nothing."""
    columns = {"session_step": np.zeros(1, dtype=np.int64), "recent_shown_items": np.zeros((1, 2), dtype=np.int64)}
    return policy.probabilities(policy.encoder.encode(columns), np.ones((1, policy.n_actions), dtype=bool))[0]


def test_days_under_an_exploration_plan_count_by_importance_weights(exploring: Callable[..., ServedHome]) -> None:
    """What the champion alone would have earned: exploring earned more than that here, by six standard errors."""
    served = exploring(gain=0.5, n_shoppers=500)
    last = lived(served, 6 + served.pipeline.settle_days)
    result, found = look(served, last)
    assert found is not None and found.launch.earned is not None
    assert [(one.version, one.is_counted) for one in found.explored_days] == [(3, True)] * len(found.days)
    assert all(one.n_explained == one.n_decisions for one in found.explored_days)
    earned, columns = found.launch.earned, [served.policy, served.explored.policy]
    champion_worth, other_worth = (float(mean_probabilities(one) @ np.array(served.worth)) for one in columns)
    assert abs(earned.value - 0.5) < 4 * earned.standard_error
    assert 0.5 * (other_worth - champion_worth) > 6 * earned.standard_error
    assert (result["alerts"], found.fallback, earned.n_days) == ([], 0.0, 6)
    assert [one.n_missing for one in found.arrivals] == [0] * len(found.arrivals)
    page = Run(served.home, SOURCE, SCENARIO, last).monitor_page.read_text()
    assert "yes, weighed" in page and "nothing is predicted." in page


@pytest.mark.parametrize("change", ["unapproved", "other share"])
def test_explored_days_that_nothing_explains_count_for_nobody(
    exploring: Callable[..., ServedHome], change: str
) -> None:
    """No approved plan decides under their name; all their decisions arrived even so, and no alert says otherwise."""
    served = exploring(is_approved=change != "unapproved")
    served.serve(START)
    assert served.explored is not None
    before, served.explored = served.explored, None
    served.serve(START + timedelta(days=1))
    served.explored = before
    if change == "other share":
        served.explored = Explored.of(before.plan, before.policy, 0.25)
    served.serve(START + timedelta(days=2))
    result, found = look(served, START + timedelta(days=2))
    assert found is not None
    is_counted = {one.day: one.is_counted for one in found.explored_days}
    assert is_counted == {START: change == "other share", START + timedelta(days=2): False}
    assert "no approved plan" in found.explored_days[-1].why
    assert (result["alerts"], found.fallback) == ([], 0.0)
    assert START + timedelta(days=2) not in [one.day for one in found.days if one.champion is not None]


def test_explored_days_decided_on_other_features_count_for_nobody(exploring: Callable[..., ServedHome]) -> None:
    """The propensities that the two policies give the rows are others than those that were logged."""
    served = exploring()
    served.serve(START)
    served.serve(START + timedelta(days=1), is_stale=True)
    found = look(served, START + timedelta(days=1))[1]
    assert found is not None
    assert [(one.is_counted, bool(one.why)) for one in found.explored_days] == [(True, False), (False, True)]
    assert found.explored_days[1].n_explained < found.explored_days[1].n_decisions


def test_a_broken_promise_is_told_and_nothing_else_by_default(made: Callable[..., ServedHome]) -> None:
    served = made(promised=(1.5, 0.2), gain=0.0)
    last = lived(served)
    result, found = look(served, last)
    assert found.launch.standing == "broken"
    assert found.alerts[0].kind == "broken_promise"
    assert found.rolled_back_to is None
    with open_store(served.settings) as client:
        assert aliases(client, MODEL)["champion"] == 2
    assert "the promise is broken" in result["alerts"][0]


def test_a_broken_promise_rolls_back_where_the_scenario_says_so(made: Callable[..., ServedHome]) -> None:
    """With who and why in the record of approvals and in the ledger; a repeated look does nothing more."""
    served = made(promised=(1.5, 0.2), gain=-0.1, monitor={"on_broken_promise": "rollback"})
    last = lived(served)
    result, found = look(served, last)
    assert (result["rolled_back_to"], found.rolled_back_to) == (1, 1)
    told = read_approvals(served.settings, MODEL)[-1]
    assert (told.kind, told.version, told.replaced, told.who) == ("rollback", 1, 2, "monitor")
    assert "the promise is broken" in told.why
    ends = {one.version: one.end for one in launches(served.home, MODEL)}
    assert ends[1] is None and ends[2].who == "monitor"
    again = look(served, last)[1]
    assert again is not None and again.rolled_back_to == 1
    assert len(read_approvals(served.settings, MODEL)) == 3
    with open_store(served.settings) as client:
        assert aliases(client, MODEL)["champion"] == 1
        assert "rolled_back" in load_version(client, MODEL, 2).tags


def test_a_champion_that_gains_something_is_not_rolled_back(made: Callable[..., ServedHome]) -> None:
    served = made(promised=(1.5, 0.2), gain=0.6, monitor={"on_broken_promise": "rollback"})
    found = look(served, lived(served))[1]
    assert found.launch.standing == "broken" and found.launch.earned.lower > 0
    assert found.rolled_back_to is None


def test_early_values_are_made_whole_by_what_is_usually_in(made: Callable[..., ServedHome]) -> None:
    """Nights that saw half of what days came to: the page says that half is usually in, and what may come of it."""
    served = made(gain=0.3)
    settle = served.pipeline.settle_days
    last = lived(served, 6)
    whole = look(served, last)[1]
    half = tuple(
        one.model_copy(update={"day": last - timedelta(days=back), "age": 0, "value": 0.5 * _value(served, last, back)})
        for back in range(settle, settle + 3)
        for one in whole.seen[:1]
    )
    path = Run(served.home, SOURCE, SCENARIO, last - timedelta(days=1))
    path.folder.mkdir(parents=True)
    whole.model_copy(update={"seen": half, "date": last - timedelta(days=1)}).write(path.monitor)
    found = look(served, last)[1]
    assert found.days[-1].there == pytest.approx(0.5)
    assert found.days[-1].whole == pytest.approx(2 * found.days[-1].champion.value)
    assert {one.age for one in found.seen} >= {0, settle - 1}


def _value(served: ServedHome, last: date, back: int) -> float:
    found = look(served, last)[1]
    day = next(one for one in found.days if one.day == last - timedelta(days=back))
    return day.champion.value * day.champion.n_episodes + day.control.value * day.control.n_episodes


def test_metrics_of_the_day_stand_at_the_champion_s_run(made: Callable[..., ServedHome]) -> None:
    served = made(gain=0.5)
    last = lived(served, 6)
    found = look(served, last)[1]
    look(served, last)
    with open_store(served.settings) as client:
        run = load_version(client, MODEL, 2).run_id
        points = client.get_metric_history(run, "monitor/earned_gain")
    assert [(one.value, one.step) for one in points] == [(found.launch.earned.value, last.toordinal())]


def test_without_a_control_group_the_page_says_why_nothing_is_known(made: Callable[..., ServedHome]) -> None:
    served = made(control_share=0.0)
    found = look(served, lived(served, 4))[1]
    assert "no shopper is held out as control" in found.launch.refusal
    assert found.ledger.n_compared == 0


def test_what_the_fallback_decided_counts_for_the_version_that_it_stood_in_for(made: Callable[..., ServedHome]) -> None:
    """Control keeps such sessions too: without them a version would be valued on the better ones alone."""
    served = made()
    last = lived(served, 3, n_fallback=50)
    found = look(served, last)[1]
    own = found.days[-1]
    assert found.fallback is not None and 0.2 < found.fallback < 0.5
    assert own.champion.n_episodes == found.days[0].champion.n_episodes
    assert own.control.n_episodes == found.days[0].control.n_episodes


def test_what_the_fallback_decided_alone_counts_for_nobody(made: Callable[..., ServedHome]) -> None:
    """As on a day on which the service was turned off: no version was in force that day."""
    served = made()
    last = lived(served, 3, n_fallback=served.n_shoppers)
    found = look(served, last)[1]
    assert found is not None and found.fallback == 1.0
    assert last not in [one.day for one in found.days]


def test_days_on_which_nothing_is_served_any_more_are_told_once(made: Callable[..., ServedHome]) -> None:
    """Others decide, or nothing arrives at all: the volume of such a day is a figure, too."""
    served = made()
    lateness, unknown = served.pipeline.source.lateness_days, replace(served, policy=make_policy(*ACTIONS, seed=9))
    lived(served, 14)
    for number in range(14, 17 + lateness):
        replace(unknown, n_shoppers=0 if number == 16 else 160).serve(START + timedelta(days=number))
    first, last = START + timedelta(days=14), START + timedelta(days=16)
    for number in range(3):
        result, found = look(served, first + timedelta(days=number + lateness))
        assert found is not None
        (out,) = [one for one in found.alerts if one.kind == "nothing_served"]
        assert (out.day, found.version) == (first, 2)
        assert [one for one in result["alerts"] if "was served" in one] == ([out.sentence] if not number else [])
    assert f"Nothing was served on {first} to {last}, though 320 decisions were made" in out.sentence
    (volume,) = [one for one in found.series if one.kind == "volume"]
    assert volume.figure == 0


def test_what_was_over_before_the_last_look_is_told_no_more(made: Callable[..., ServedHome]) -> None:
    """Also on the first night after an upgrade, whose looks before told nothing of it."""
    served = made()
    lateness, unknown = served.pipeline.source.lateness_days, replace(served, policy=make_policy(*ACTIONS, seed=9))
    lived(served, 14)
    unknown.serve(START + timedelta(days=14))
    for number in range(15, 20 + lateness):
        served.serve(START + timedelta(days=number))
    first = look(served, START + timedelta(days=17 + lateness))[1]
    assert first is not None
    assert [one for one in first.alerts if one.kind == "nothing_served"] == []
    again = look(served, START + timedelta(days=18 + lateness))[1]
    assert again is not None
    assert [one for one in again.alerts if one.kind == "nothing_served"] == []


def test_a_greater_holdout_leaves_what_was_earned_as_it_was(made: Callable[..., ServedHome]) -> None:
    """A home of an earlier release, whose looks wrote no share down, and one whose looks did."""
    served = made(gain=0.5, n_shoppers=300, control_share=0.2)
    last = lived(served)
    served.serve(last + timedelta(days=1))
    before = look(served, last)[1]
    assert before is not None and before.launch.earned is not None
    assert [(one.first, one.share) for one in before.holdouts] == [(last, 0.2)]
    path = Run(served.home, SOURCE, SCENARIO, last).monitor
    for holdouts in ((), before.holdouts):
        path.write_text(before.model_copy(update={"holdouts": holdouts}).model_dump_json())
        raised = replace(served, control_share=0.6)
        found = look(raised, last + timedelta(days=1))[1]
        assert found is not None and found.launch.earned is not None
        earned, others = found.days[: before.launch.earned.n_days], before.days[: before.launch.earned.n_days]
        if holdouts:
            assert earned == others
        for one, other in zip(earned, others, strict=True):
            assert one.control is not None and other.control is not None
            assert abs(one.control.n_episodes - other.control.n_episodes) <= 2, "who was held out then"
        (now, was), error = (days[-1].running for days in (earned, others)), found.launch.earned.standard_error
        assert now is not None and was is not None and abs(now.value - was.value) < error < 0.08
        assert found.holdouts[-1].share == 0.6
        Run(served.home, SOURCE, SCENARIO, last + timedelta(days=1)).monitor.unlink()


def test_days_of_a_version_s_control_group_count_for_no_promise(
    made: Callable[..., ServedHome], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = made(gain=0.5)
    last = lived(served)
    monkeypatch.setattr(monitor, "days_of_version_control", lambda *_: {START + timedelta(days=1)})
    found = look(served, last)[1]
    assert found is not None and found.launch.earned is not None
    assert found.launch.earned.n_days == N_DAYS - served.pipeline.settle_days - 1
    assert "decided for the control group" in found.days[1].uncounted


def test_a_change_that_was_told_is_not_told_under_another_day(made: Callable[..., ServedHome]) -> None:
    """Whatever an earlier release's threshold was: what it told stays, and days that it judged are not judged again."""
    served = made()
    last = lived(served, 30)
    before = look(served, last)[1]
    assert before is not None and before.changes == ()
    told = ChangeFigures(
        kind="mean", name="session_step", day=START + timedelta(days=25), figure=2.0, expected=1.0, sentence="It moved."
    )
    before.model_copy(update={"changes": (told,)}).write(Run(served.home, SOURCE, SCENARIO, last).monitor)
    served.serve(last + timedelta(days=1))
    found = look(served, last + timedelta(days=1))[1]
    assert found is not None and found.changes == (told,)
    (series,) = [one for one in found.series if (one.kind, one.name) == ("mean", "session_step")]
    assert series.evidence == 0.0, "it begins anew where it was told"


@pytest.mark.parametrize("by", ["the fallback", "others"])
def test_a_launched_version_that_never_decides_is_told_day_by_day(made: Callable[..., ServedHome], by: str) -> None:
    """With how much the fallback decided, once a day's late lines are in: it isn't skipped, and nothing is earned."""
    served = made()
    served.policy, decided = type(served.policy)(**{**vars(served.policy), "name": "another"}), served.policy
    assert served.policy.version != decided.version
    n_fallback = served.n_shoppers if by == "the fallback" else 0
    n_days = 2 + served.pipeline.source.lateness_days
    for number in range(n_days):
        served.serve(START + timedelta(days=number), n_fallback=n_fallback)
    result, found = look(served, START + timedelta(days=n_days - 1))
    lines = [json.loads(line) for line in alerts_log(served.home).read_text().splitlines()]
    told = [(one["kind"], one["day"], one["subject"]) for one in lines]
    assert told == [("undecided", str(START + timedelta(days=number)), "version 2") for number in range(2)]
    n_meant = sum(
        not is_control(pseudonym(f"shopper-{number}", KEY.encode()), KEY.encode(), scenario=SCENARIO, share=SHARE)
        for number in range(served.n_shoppers)
    )
    n = n_meant if n_fallback else 0
    of_all = f"the fallback made {n} of 160 decisions, and {n} of the {n_meant} of shoppers who were to get it."
    assert f"on {START}, though it is launched: {of_all}" in result["alerts"][0]
    assert (found, result["n_alerts"], result["version"], result["earned"]) == (None, 2, 2, None)
    assert "skipped" not in result
    assert look(served, START + timedelta(days=n_days - 1))[0]["alerts"] == []


@pytest.mark.parametrize("day", [0, 1, 40])
def test_days_before_an_approval_are_not_held_against_a_version(
    made: Callable[..., ServedHome], monkeypatch: pytest.MonkeyPatch, day: int
) -> None:
    """Nor is the day of it. Where the past is lived again, all was approved after it."""
    served = made()
    served.policy = type(served.policy)(**{**vars(served.policy), "name": "another"})
    last = lived(served, 3 + served.pipeline.source.lateness_days)
    found = running_launch(settings_at(served.home), f"{SCENARIO}-policy", 2)
    assert found is not None
    approved = datetime.combine(START + timedelta(days=day), time(12), tzinfo=UTC)
    monkeypatch.setattr(monitor, "running_launch", lambda *_: found.model_copy(update={"promoted_at": approved}))
    result = look(served, last)[0]
    assert result["n_alerts"] == (3 if day == 40 else 2 - day)


def test_a_later_launch_that_never_decides_is_told_while_the_first_goes_on(made: Callable[..., ServedHome]) -> None:
    """Nobody would hear of it else: what decides is the version before."""
    served = made()
    served.policy = make_policy(*ACTIONS, seed=1)
    last = lived(served, 2 + served.pipeline.source.lateness_days)
    result, found = look(served, last)
    assert found is not None
    assert found.version == 1
    told = [(one.day, one.subject) for one in found.alerts if one.kind == "undecided"]
    assert told == [(START + timedelta(days=number), "version 2") for number in range(2)]
    assert sum("Version 2 decided for nobody" in one for one in result["alerts"]) == 2


def test_a_launched_version_none_of_whose_shoppers_arrive_is_told(
    made: Callable[..., ServedHome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All who came are held out, and they are too many for that: the log of the others is lost."""
    served = made()
    served.policy = type(served.policy)(**{**vars(served.policy), "name": "another"})
    last = lived(served, 1 + served.pipeline.source.lateness_days)
    monkeypatch.setattr(monitor, "is_control", lambda *_, **__: True)
    result = look(served, last)[0]
    assert "made 0 of 160 decisions, and 0 of the 0 of shoppers who were to get it." in result["alerts"][0]


def test_nothing_served_is_skipped_where_nobody_was_to_get_anything(
    made: Callable[..., ServedHome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No day is whole yet, the launch has ended, it is in the shadow, or those who came are held out as it happens."""
    served = made()
    served.policy = type(served.policy)(**{**vars(served.policy), "name": "another"})
    assert served.pipeline.source.lateness_days > 0
    assert "nothing was served on any day" in look(served, lived(served, 1))[0]["skipped"]
    last = lived(served, 1 + served.pipeline.source.lateness_days)
    (launch,) = (one for one in launches(served.home, MODEL) if one.end is None)
    shadow = launch.model_copy(update={"stages": (Stage(share=0, started_at=None, is_shadow=True),)})
    for found in (None, shadow):
        with monkeypatch.context() as patch:
            patch.setattr(monitor, "running_launch", lambda *_, found=found: found)
            assert "nothing was served on any day" in look(served, last)[0]["skipped"]
    served.n_shoppers = 3
    lived(served, 1 + served.pipeline.source.lateness_days)
    monkeypatch.setattr(monitor, "is_control", lambda *_, **__: True)
    assert "nothing was served on any day" in look(served, last)[0]["skipped"]


def test_no_approved_version_is_skipped(tmp_path: Path) -> None:
    served = ServedHome(tmp_path / "home", champion())
    assert "no version was approved yet" in look(served, START)[0]["skipped"]


def test_scenarios_that_no_service_decides_for_are_refused(tmp_path: Path) -> None:
    settings = ServedHome(tmp_path / "home", champion()).settings
    with pytest.raises(ServingError, match="only what a service decides is monitored"):
        monitor.run(settings=settings, source="simulated_promotion", scenario="promotion", run_date=START)
