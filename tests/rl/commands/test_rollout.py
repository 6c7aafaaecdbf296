"""A version that is rolled out by stages, from the log of what was served to the registry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from conf.paths import Lake
from conf.settings import Settings
from conf.specs.scenario import MILLIONTHS, Pipeline
from rl.commands import promote as promote_command
from rl.commands import rollout, switch
from rl.errors import RegistryError
from rl.registry.approvals import read_approvals
from rl.registry.launches import Launch, launches
from rl.registry.store import aliases, open_store
from rl.rollout.assignment import gets_new_version, is_control
from rl.serving.decide import FALLBACK_VERSION
from rl.serving.shadow import ShadowLine, ShadowLog
from tests.rl.factories import make_pipeline, make_row, write_transitions
from tests.rl.serving.served_home import FIRST, MODEL, SCENARIO, SOURCE, policy_of, promote, register, settings_at

STAGES = {"stages": [0.25, 0.5, 1.0], "min_days": 3, "covariate_days": 3}
NIGHT = FIRST + timedelta(days=1)
SHOPPERS = [f"{n:032x}" for n in range(500)]
HOLDOUT = 0.05


@dataclass
class RolloutHome:
    """A home whose version 2 is served to a quarter of the shoppers, and a shop that it is served in."""

    home: Path
    pipeline: Pipeline
    patch: pytest.MonkeyPatch
    replaced: str | None = policy_of(0).version

    @property
    def settings(self) -> Settings:
        return settings_at(self.home)

    @property
    def launch(self) -> Launch:
        return launches(self.home, MODEL)[-1]

    @property
    def champion(self) -> int:
        with open_store(self.settings) as client:
            return aliases(client, MODEL)["champion"]

    def serve(
        self, first: date, n_days: int, *, share: float = 0.0, worth: float = 10.0, failing: str = "nobody's"
    ) -> date:
        """Days on which every shopper decides once, the new version's earning `worth` and others 10; the last one.

        The fallback makes the decisions of the `new` version's shoppers, of `all`, or nobody's.
        """
        for number in range(n_days):
            day = first + timedelta(days=number)
            rows = [self._row(shopper, day, share, worth) for shopper in SHOPPERS]
            is_new = [row["policy_version"] == policy_of(1).version for row in rows]
            for row, fails in zip(rows, is_new, strict=True):
                if failing == "all" or (failing == "new" and fails):
                    row["policy_version"] = FALLBACK_VERSION
            write_transitions(Lake(self.settings.lake, SOURCE), self.pipeline, day, rows)
        return first + timedelta(days=n_days - 1)

    def _row(self, shopper: str, day: date, share: float, worth: float) -> dict[str, Any]:
        key, new = self.settings.pseudonym_key(), policy_of(1).version
        is_new = gets_new_version(shopper, key, scenario=SCENARIO, policy_version=new, share=share)
        is_held_out = is_control(shopper, key, scenario=SCENARIO, share=HOLDOUT)
        noise = np.random.default_rng([int(shopper, 16), day.toordinal()]).normal()
        # What control shoppers earn would drown a comparison that took them for one of the arms.
        earned = 500.0 if is_held_out else worth if is_new else 10.0
        by = "the shop's" if is_held_out else new if is_new else self.replaced or "the shop's"
        return make_row(
            self.pipeline,
            episode_id=f"{day}-{shopper}",
            user_id=shopper,
            decision_time=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
            reward=round((earned + noise) * MILLIONTHS),
            policy_version=by,
        )

    def look(self, day: date) -> dict[str, Any]:
        with self.patch.context() as patch:
            patch.setattr(rollout, "load_pipeline", lambda *_: self.pipeline)
            return rollout.run(settings=self.settings, source=SOURCE, scenario=SCENARIO, run_date=day)


@pytest.fixture(scope="session")
def first_launch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 replaced the shop's own decisions; not to be changed."""
    home = tmp_path_factory.mktemp("launched") / "home"
    home.mkdir()
    promote(home, 0)
    return home


@pytest.fixture(scope="session")
def served_twice(first_launch: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """After that, version 2 replaces it in a quarter; not to be changed."""
    home = Path(shutil.copytree(first_launch, tmp_path_factory.mktemp("rolled") / "home"))
    promote(home, 1, share=0.25)
    return home


Make = Callable[..., RolloutHome]


@pytest.fixture
def rolled(served_twice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    def make(**changes: Any) -> RolloutHome:
        home = Path(shutil.copytree(served_twice, tmp_path / "home"))
        exploration = {"control_holdout": HOLDOUT}
        pipeline = make_pipeline(SOURCE, rollout=STAGES | changes, exploration=exploration)
        found = RolloutHome(home, pipeline, monkeypatch)
        found.serve(FIRST - timedelta(days=1), 3)
        return found

    return make


def test_a_version_as_good_grows_to_all_shoppers(rolled: Make) -> None:
    """Stage by stage, each by its own days; then nothing is rolled out any more."""
    one = rolled()
    last = one.serve(NIGHT + timedelta(days=1), 2, share=0.25)
    found = one.look(last)
    assert (found["decision"], found["why"], found["share"]) == ("hold", "2 of 3 days are counted", 0.25)
    last = one.serve(last + timedelta(days=1), 1, share=0.25)
    found = one.look(last)
    assert (found["decision"], found["share"], found["first_day"]) == ("grow", 0.5, str(NIGHT + timedelta(days=1)))
    assert found["n_new"] + found["n_replaced"] == sum(
        not is_control(one_, one.settings.pseudonym_key(), scenario=SCENARIO, share=HOLDOUT) for one_ in SHOPPERS
    )
    assert abs(found["gain"]) < 0.02
    last = one.serve(last + timedelta(days=1), 1, share=0.25)  # the growth is served a day later
    last = one.serve(last + timedelta(days=1), 3, share=0.5)
    found = one.look(last)
    assert (found["decision"], found["share"], found["former_share"]) == ("complete", 1.0, 0.25)
    assert 80 < found["n_new"] < 160  # those drawn anew: a quarter of the shoppers who aren't held out
    assert found["first_day"] == str(last - timedelta(days=2))
    launch = one.launch
    assert [(stage.share, len(stage.looks)) for stage in launch.stages] == [(0.25, 2), (0.5, 1), (1.0, 0)]
    assert launch.completed_at is not None
    assert "decides for all shoppers" in one.look(last + timedelta(days=1))["skipped"]


def test_a_worse_version_goes_back_and_is_not_offered_again(rolled: Make) -> None:
    """The registry's own rollback, by the rollout, with what was seen as the reason; the ledger tells a retreat."""
    one = rolled()
    found = one.look(one.serve(NIGHT + timedelta(days=1), 2, share=0.25, worth=8.0))
    assert (found["decision"], found["share"], one.champion) == ("retreat", 0.0, 1)
    assert "it earns less a shopper: -2" in found["why"] or "it earns less a shopper: -1" in found["why"]
    last = read_approvals(one.settings, MODEL)[-1]
    assert (last.kind, last.version, last.replaced, last.who, last.why) == ("rollback", 1, 2, "rollout", found["why"])
    launch = one.launch
    assert launch.end is not None
    assert (launch.version, launch.end.kind, launch.looks[-1].decision) == (2, "retreated", "retreat")
    assert json.loads((one.home / "launches.json").read_text())["launches"][-1]["end"]["kind"] == "retreated"
    assert "decides for all shoppers" in one.look(NIGHT + timedelta(days=2))["skipped"]


def test_a_retreat_may_be_left_to_a_person(rolled: Make) -> None:
    one = rolled(on_retreat="hold")
    found = one.look(one.serve(NIGHT + timedelta(days=1), 2, share=0.25, worth=8.0))
    assert (found["decision"], found["share"], one.champion) == ("retreat", 0.25, 2)


def test_a_day_is_looked_at_once(rolled: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated, it says the same, and grows no further; a kill between look and growth is made good."""
    one = rolled()
    last = one.serve(NIGHT + timedelta(days=1), 3, share=0.25)
    with monkeypatch.context() as patch:
        patch.setattr(rollout, "begin_stage", _killed)
        with pytest.raises(KeyboardInterrupt):
            one.look(last)
    assert [stage.share for stage in one.launch.stages] == [0.25]
    found = one.look(last)
    assert one.look(last) == found
    assert [stage.share for stage in one.launch.stages] == [0.25, 0.5]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def _look_and_be_killed(one: RolloutHome, day: date, *, before: str) -> None:
    """The look is written down, and nothing that follows from it is done."""
    with one.patch.context() as patch:
        patch.setattr(rollout, before, _killed)
        with pytest.raises(KeyboardInterrupt):
            one.look(day)


def test_a_growth_that_was_killed_is_done_on_the_next_date(rolled: Make) -> None:
    """The new stage's days begin after it, and the same date once more finds nothing else to do."""
    one = rolled(schedule={"days": 3, "margin": 0.2})
    last = one.serve(NIGHT + timedelta(days=1), 3, share=0.25)
    _look_and_be_killed(one, last, before="begin_stage")
    next_date = one.serve(last + timedelta(days=1), 1, share=0.25)
    found = one.look(next_date)
    assert (found["decision"], found["share"], found["last_day"]) == ("grow", 0.5, str(last))
    assert one.look(next_date) == found
    stages = [(stage.share, stage.first_day, [look.day for look in stage.looks]) for stage in one.launch.stages]
    assert stages == [(0.25, NIGHT + timedelta(days=1), [last]), (0.5, next_date + timedelta(days=1), [])]
    found = one.look(one.serve(next_date + timedelta(days=1), 1, share=0.5))
    assert (found["decision"], found["first_day"]) == ("hold", str(next_date + timedelta(days=1)))


def test_a_retreat_that_was_killed_is_done_on_the_next_date(rolled: Make) -> None:
    """Better figures of the next day don't undo it."""
    one = rolled()
    last = one.serve(NIGHT + timedelta(days=1), 2, share=0.25, worth=8.0)
    _look_and_be_killed(one, last, before="roll_back")
    assert one.champion == 2
    found = one.look(one.serve(last + timedelta(days=1), 1, share=0.25, worth=15.0))
    assert (found["decision"], found["share"], one.champion) == ("retreat", 0.0, 1)
    assert [(look.day, look.decision) for look in one.launch.looks] == [(last, "retreat")]
    assert one.launch.end is not None
    assert (one.launch.end.kind, one.launch.end.why) == ("retreated", found["why"])


def test_a_retreat_that_is_left_to_a_person_is_looked_at_again(rolled: Make) -> None:
    """Nothing was to follow from it, so that the next date has a look of its own."""
    one = rolled(on_retreat="hold")
    last = one.serve(NIGHT + timedelta(days=1), 2, share=0.25, worth=8.0)
    one.look(last)
    found = one.look(one.serve(last + timedelta(days=1), 1, share=0.25, worth=15.0))
    assert (found["last_day"], one.champion) == (str(last + timedelta(days=1)), 2)
    assert len(one.launch.looks) == 2


def test_lost_decisions_of_one_arm_keep_it_from_growing(rolled: Make) -> None:
    """What is missing counts as nothing, so that it goes back, and says that the arm has lost some."""
    one = rolled()
    last = one.serve(NIGHT + timedelta(days=1), 3, share=0.25)
    new = policy_of(1).version
    for number in range(3):
        rows = [one._row(shopper, NIGHT + timedelta(days=1 + number), 0.25, 10.0) for shopper in SHOPPERS]
        kept = [row for row in rows if row["policy_version"] != new or int(row["user_id"], 16) % 2]
        write_transitions(Lake(one.settings.lake, SOURCE), one.pipeline, NIGHT + timedelta(days=1 + number), kept)
    found = one.look(last)
    assert (found["decision"], found["mismatch"] < 0.001) == ("retreat", True)
    assert "it earns less a shopper" in found["why"]
    assert "not as large as 0.25 draws them" in found["why"]


def test_a_version_that_no_service_serves_holds(rolled: Make) -> None:
    one = rolled()
    found = one.look(one.serve(NIGHT + timedelta(days=1), 3, share=0.0))
    assert (found["decision"], found["n_new"]) == ("hold", 0)
    assert "was served by these shares yet" in found["why"]


def test_a_version_that_fails_for_everyone_goes_back(rolled: Make) -> None:
    """By what its shoppers bring, on the first day that shows it; or after three days, though they bring as much."""
    one = rolled()
    last = one.serve(NIGHT + timedelta(days=1), 2, share=0.25, worth=10.0, failing="new")
    found = one.look(last)
    assert (found["decision"], one.champion) == ("hold", 2)
    assert f"it has decided for nobody since {NIGHT + timedelta(days=1)} (2 days)" in found["why"]
    found = one.look(one.serve(last + timedelta(days=1), 1, share=0.25, failing="new"))
    assert (found["decision"], found["share"], one.champion) == ("retreat", 0.0, 1)
    assert "(3 days), while the others were decided for: of " in found["why"]
    assert read_approvals(one.settings, MODEL)[-1].why == found["why"]


@pytest.mark.parametrize(("on_retreat", "champion"), [("rollback", 1), ("hold", 2)])
def test_a_version_whose_shoppers_lose_by_the_fallback_goes_back_sooner(
    rolled: Make, on_retreat: str, champion: int
) -> None:
    one = rolled(on_retreat=on_retreat)
    found = one.look(one.serve(NIGHT + timedelta(days=1), 1, share=0.25, worth=5.0, failing="new"))
    assert (found["decision"], one.champion) == ("retreat", champion)
    assert "it earns less a shopper: -" in found["why"] and "(1 day)" in found["why"]


def test_a_service_that_was_down_for_all_takes_no_version_back(rolled: Make) -> None:
    """Not before a day was served, and not later."""
    one = rolled()
    last = one.serve(NIGHT + timedelta(days=1), 4, share=0.25, failing="all")
    found = one.look(last)
    assert (found["decision"], one.champion) == ("hold", 2)
    assert "(0 by the version, 0 by what it replaces" in found["why"]
    last = one.serve(last + timedelta(days=1), 1, share=0.25)
    last = one.serve(last + timedelta(days=1), 3, share=0.25, failing="all")
    found = one.look(last)
    assert (found["decision"], found["first_day"]) == ("grow", str(last - timedelta(days=3)))


def first_version_at_a_quarter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RolloutHome:
    """A first version is at a quarter of the shoppers; the shop decides for the others, as it did before."""
    home = tmp_path / "home"
    home.mkdir()
    promote(home, 1, share=0.25)
    pipeline = make_pipeline(SOURCE, rollout=STAGES, exploration={"control_holdout": HOLDOUT})
    one = RolloutHome(home, pipeline, monkeypatch, replaced=None)
    one.serve(FIRST - timedelta(days=1), 3)
    return one


def test_a_first_version_that_is_turned_off_is_not_said_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fallback decides for its shoppers and the shop for the others, as a person asked for."""
    one = first_version_at_a_quarter(tmp_path, monkeypatch)
    last = one.serve(NIGHT + timedelta(days=1), 3, share=0.25, failing="new")
    switch.run(settings=one.settings, scenario=SCENARIO, what="off", why="a fire", who="bob")
    found = one.look(last)
    assert (found["decision"], one.champion) == ("hold", 1)
    assert "it is turned off (`make on`)" in found["why"]
    switch.run(settings=one.settings, scenario=SCENARIO, what="on", why="it is out", who="bob")
    found = one.look(one.serve(last + timedelta(days=1), 1, share=0.25, failing="new"))
    assert (found["decision"], found["share"]) == ("retreat", 0.0)


def test_no_other_version_is_promoted_meanwhile(rolled: Make) -> None:
    """It is skipped, with what to do."""
    one = rolled()
    version = register(one.home, 2)
    with one.patch.context() as patch:
        patch.setattr(promote_command, "load_pipeline", lambda *_: one.pipeline)
        found = promote_command.run(
            settings=one.settings,
            source=SOURCE,
            scenario=SCENARIO,
            run_date=FIRST + timedelta(days=2),
            version=version,
        )
    assert "version 2 is being rolled out, at 0.25 of the shoppers: one launch at a time" in found["skipped"]
    assert one.champion == 2


@pytest.mark.parametrize(
    ("number", "tag", "stages", "share"),
    [
        (1, None, STAGES, 0.25),
        (1, None, None, 1.0),
        (0, None, STAGES, 1.0),  # the same policy again
        (1, "another_shop", STAGES, 1.0),  # what it replaces was learned elsewhere
    ],
)
def test_a_promotion_starts_with_the_first_share_where_there_is_something_to_compare(
    first_launch: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    tag: str | None,
    stages: dict[str, Any] | None,
    share: float,
) -> None:
    home = Path(shutil.copytree(first_launch, tmp_path / "home"))
    version = register(home, 1, policy_of(number))
    if tag is not None:
        with open_store(settings_at(home)) as client:
            client.set_model_version_tag(MODEL, "1", "nightcart.source", tag)
    pipeline = make_pipeline(SOURCE) if stages is None else make_pipeline(SOURCE, rollout=stages)
    monkeypatch.setattr(promote_command, "load_pipeline", lambda *_: pipeline)
    promote_command.run(settings=settings_at(home), source=SOURCE, scenario=SCENARIO, run_date=NIGHT, version=version)
    launch = launches(home, MODEL)[-1]
    assert (launch.version, launch.replaced, launch.share) == (2, 1, share)
    assert (launch.policy_version, launch.replaced_policy_version) == (
        policy_of(number).version,
        policy_of(0).version,
    )
    assert launch.stages[0].first_day == NIGHT + timedelta(days=1)
    assert (launch.completed_at is None) == (share < 1)


@pytest.fixture
def in_shadow(first_launch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RolloutHome:
    """Version 2 decides in the shadow of version 1 for two days, then gets a quarter."""
    home = Path(shutil.copytree(first_launch, tmp_path / "home"))
    pipeline = make_pipeline(SOURCE, rollout=STAGES | {"shadow_days": 2}, exploration={"control_holdout": HOLDOUT})
    version = register(home, 1)
    with monkeypatch.context() as patch:
        patch.setattr(promote_command, "load_pipeline", lambda *_: pipeline)
        promote_command.run(
            settings=settings_at(home), source=SOURCE, scenario=SCENARIO, run_date=NIGHT, version=version
        )
    return RolloutHome(home, pipeline, monkeypatch)


def shadowed(one: RolloutHome, day: date, *, by: str = policy_of(1).version, failure: str = "") -> date:
    """A day on which the version was asked a hundred times."""
    lines = [
        ShadowLine(decision_id=f"{day}-{n}", policy_version=by, failure=failure)
        if failure
        else ShadowLine(
            decision_id=f"{day}-{n}", policy_version=by, action="a", propensity=0.5, served="b" if n < 30 else "a"
        )
        for n in range(100)
    ]
    folder = one.home / "serving" / SOURCE / SCENARIO / "decisions"
    folder.mkdir(parents=True, exist_ok=True)
    ShadowLog(folder).append(day, lines)
    return day


def test_a_version_decides_in_the_shadow_before_any_shopper_gets_it(in_shadow: RolloutHome) -> None:
    """After as many days as the scenario says it gets the first share; a day without it counts for nothing."""
    one, first = in_shadow, NIGHT + timedelta(days=1)
    assert (one.launch.share, one.launch.is_shadow, one.launch.is_rolling) == (0.0, True, True)
    found = one.look(shadowed(one, first))
    assert (found["decision"], found["why"], found["share"]) == ("hold", "1 of 2 days in the shadow", 0.0)
    shadowed(one, first + timedelta(days=1), by=policy_of(0).version)  # some other version's
    found = one.look(first + timedelta(days=1))
    assert found["why"] == f"1 of 2 days in the shadow; no decision in the shadow on {first + timedelta(days=1)}"
    found = one.look(shadowed(one, first + timedelta(days=2)))
    assert (found["decision"], found["share"]) == ("grow", 0.25)
    assert found["why"] == "2 days in the shadow: 200 decisions, 30% of them other than what was answered"
    assert [(stage.share, stage.is_shadow, stage.first_day) for stage in one.launch.stages] == [
        (0.0, True, first),
        (0.25, False, first + timedelta(days=3)),
    ]
    assert one.launch.served_since == first + timedelta(days=3)


def test_shoppers_are_compared_from_the_day_on_which_they_got_it(in_shadow: RolloutHome) -> None:
    """Not from the first day in the shadow: what shoppers brought until then is known of them anyway."""
    one, first = in_shadow, NIGHT + timedelta(days=1)
    one.serve(FIRST - timedelta(days=1), 5)
    for number in range(2):
        shadowed(one, first + timedelta(days=number))
    one.look(first + timedelta(days=1))
    found = one.look(one.serve(first + timedelta(days=2), 3, share=0.25))
    assert (found["decision"], found["first_day"]) == ("grow", str(first + timedelta(days=2)))
    assert one.launch.share == 0.5


def test_a_version_whose_decisions_fail_in_the_shadow_gets_no_shopper(in_shadow: RolloutHome) -> None:
    one, first = in_shadow, NIGHT + timedelta(days=1)
    shadowed(one, first)
    found = one.look(shadowed(one, first + timedelta(days=1), failure="PolicyError"))
    assert (found["decision"], found["share"]) == ("hold", 0.0)
    assert found["why"].startswith("100 of 200 decisions in the shadow failed (PolicyError 100)")
    version = register(one.home, 2)
    with one.patch.context() as patch:
        patch.setattr(promote_command, "load_pipeline", lambda *_: one.pipeline)
        night = FIRST + timedelta(days=2)
        told = promote_command.run(
            settings=one.settings, source=SOURCE, scenario=SCENARIO, run_date=night, version=version
        )
    assert "version 2 is being rolled out, in the shadow: one launch at a time" in told["skipped"]


def test_a_persons_rollback_ends_the_launch(rolled: Make) -> None:
    one = rolled()
    switch.run(settings=one.settings, scenario=SCENARIO, what="rollback", why="umbrellas", who="bob")
    end = one.launch.end
    assert end is not None
    assert (end.kind, end.who, end.why) == ("rolled_back", "bob", "umbrellas")


def test_a_rollout_that_the_scenario_no_longer_has_is_an_error(rolled: Make) -> None:
    one = rolled()
    one.pipeline = make_pipeline(SOURCE)
    with pytest.raises(RegistryError, match="has no `rollout` any more; write it again, or `python -m rl rollback`"):
        one.look(NIGHT)


def test_a_first_version_that_is_worse_leaves_all_shoppers_to_the_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no version to go back to; the next one may be promoted."""
    one = first_version_at_a_quarter(tmp_path, monkeypatch)
    found = one.look(one.serve(NIGHT + timedelta(days=1), 2, share=0.25, worth=8.0))
    assert (found["decision"], found["share"]) == ("retreat", 0.0)
    end = one.launch.end
    assert end is not None
    assert (end.kind, end.who, end.why) == ("retreated", "rollout", found["why"])
    with open_store(one.settings) as client:
        assert aliases(client, MODEL) == {}
    assert "has no champion that was launched" in one.look(NIGHT + timedelta(days=3))["skipped"]


def test_a_retreat_that_was_killed_is_finished_by_the_next_look(rolled: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record was written, and the alias hadn't moved yet."""
    one = rolled()
    last = one.serve(NIGHT + timedelta(days=1), 2, share=0.25, worth=8.0)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", _killed)
        with pytest.raises(KeyboardInterrupt):
            one.look(last)
    assert one.champion == 2
    assert "decides for all shoppers" in one.look(last)["skipped"]
    assert one.champion == 1
    assert [entry.kind for entry in read_approvals(one.settings, MODEL)].count("rollback") == 1


def test_a_launch_that_an_earlier_release_took_back_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its share is 0 in the ledger, and it is still champion."""
    home = tmp_path / "home"
    home.mkdir()
    promote(home, 0, share=0.0)
    one = RolloutHome(home, make_pipeline(SOURCE, rollout=STAGES), monkeypatch)
    assert "no shopper since it retreated (`make rollback` ends its launch)" in one.look(NIGHT)["skipped"]
    switch.run(settings=one.settings, scenario=SCENARIO, what="rollback", why="it was worse", who="bob")
    assert one.launch.end is not None
