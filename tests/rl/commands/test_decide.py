"""Lists of weeks whose shoppers are given: budgets of periods are kept, and drafts say by which verdict they are."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Lake, Run
from conf.publication import read_pointers, write_atomically
from conf.settings import Settings
from conf.specs.budget import Pacing
from conf.specs.scenario import load_pipeline
from rl.commands import decide
from rl.errors import PolicyError
from rl.policy.offer_prices import OfferPrices
from rl.registry import deciding_version
from rl.registry.approvals import Standing, approve
from rl.registry.entry import NightKey, VersionRecord
from rl.registry.runs import night_run
from rl.registry.store import CHAMPION, experiment_id, open_store
from rl.registry.versions import create_version, load_version
from tests.rl.lists.test_list_checks import AS_OF, BUDGET, COSTS, N, observed
from tests.rl.policy.policies import make_policy

SUNDAY = AS_OF - timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with a champion; observations and what offers commit are given, and what is registered is real."""
    made = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path / "home")})
    key = NightKey("promotion", "simulated_promotion", SUNDAY, "d", "s", "c")
    prices = OfferPrices(tuple(COSTS.values()), 0.3, 0.25, BUDGET, float(N), (0.0,), (0.0,), nothing=0)
    make_policy(*COSTS, prices=prices).save(tmp_path / "staged" / "data" / "policy")
    with open_store(made) as client:
        run = night_run(client, experiment_id(client, made, key.scenario), key)
        record = VersionRecord("promote", "behavior", "behavior", key.date, "promote")
        version = create_version(client, run, key=key, record=record, model_folder=tmp_path / "staged").version
        client.set_registered_model_alias(key.model, CHAMPION, str(version))
        approve(made, key.model, version, replaced=None, who="ann", why="better")

    def week(_: Any, __: Any, as_of: date) -> Any:
        own = observed()
        manifest = own.pointer.manifest.model_copy(update={"partition": f"as_of={as_of}"})
        return replace(own, pointer=own.pointer.model_copy(update={"manifest": manifest}))

    monkeypatch.setattr(decide, "read_week", week)
    monkeypatch.setattr(decide, "committed_costs", lambda *_: tuple(COSTS.values()))
    sets = {"everyone": frozenset(COSTS), "blocked": frozenset({"none"})}
    monkeypatch.setattr(decide, "read_availability", lambda *_: sets)
    return made


def decided(settings: Settings, week: int = 0, budget: float | None = None) -> dict[str, Any]:
    return decide.run(
        settings=settings,
        source="simulated_promotion",
        scenario="promotion",
        run_date=SUNDAY + timedelta(weeks=week),
        version=None,
        budget=budget,
    )


def paced(monkeypatch: pytest.MonkeyPatch, *, weekly: float = 40.0, **pacing: Any) -> None:
    pipeline = load_pipeline("promotion", "simulated_promotion")
    budget = pipeline.scenario.budget
    assert budget is not None
    own = budget.model_copy(update={"weekly": weekly, "pacing": Pacing(**pacing)})
    scenario = pipeline.scenario.model_copy(update={"budget": own})
    monkeypatch.setattr(decide, "load_pipeline", lambda *_: pipeline.model_copy(update={"scenario": scenario}))


def test_a_period_s_lists_get_what_earlier_ones_left(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gets its share of the rest, at most twice 40; a repeat changes nothing, and a larger budget is refused."""
    paced(monkeypatch, weeks=4, starts=AS_OF)
    committed = 0.0
    for week in range(4):
        found = decided(settings, week)
        assert found["weekly_budget"] == pytest.approx(min(80, (160 - committed) / (4 - week)), abs=2e-6)
        assert found["committed"] <= found["weekly_budget"]
        assert found["period"]["week"] == week + 1
        committed += found["committed"]
        again = decided(settings, week)
        assert (again["is_new"], again["content_hash"]) == (False, found["content_hash"])
    assert 0 < committed <= 160
    left = 160 - committed + found["committed"]
    with pytest.raises(PolicyError, match=r"the period from 2026-02-02 to 2026-03-01 has .* left of its 160\.00"):
        decided(settings, 3, budget=left + 1)
    assert decided(settings, 4)["weekly_budget"] == 40.0  # the next period


def test_the_list_says_at_which_price_of_money_it_was_decided(settings: Settings) -> None:
    """In each row of the file and in its manifest: its own, and the registered one, which was for another budget."""
    found = decided(settings)
    assert (found["price"], found["registered_price"]) == (0.0, 0.25)
    with Path(found["csv"]).open(encoding="utf-8", newline="") as file:
        prices = {(row["price_of_money"], row["registered_price_of_money"]) for row in csv.DictReader(file)}
    assert prices == {("0.000000", "0.250000")}
    folder = Lake(settings.lake, "simulated_promotion").decisions("promotion")
    counters = read_pointers(folder)[f"as_of={AS_OF}"].manifest.counters
    assert (counters["price_of_money"], counters["registered_price_of_money"]) == (0, 250_000)


def test_a_planted_overrun_leaves_nothing_to_later_weeks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of more than the whole period, made before budgets were paced: the next one sends nothing and says so."""
    spent = decided(settings, 0, budget=300.0)["committed"]
    assert spent > 5
    paced(monkeypatch, weekly=2.5, weeks=2, starts=AS_OF)
    found = decided(settings, 1)
    assert (found["weekly_budget"], found["committed"]) == (0.0, 0.0)
    assert found["period"]["is_overspent"] is True


@pytest.mark.parametrize("verdict", ["promote", "reject", "abstain"])
def test_a_draft_says_by_which_verdict_it_is(settings: Settings, monkeypatch: pytest.MonkeyPatch, verdict: str) -> None:
    """In the sentence, in the summary, and where it isn't `promote` in every row of the file."""
    night = Run(settings.home, "simulated_promotion", "promotion", SUNDAY)
    write_atomically(night.registration, json.dumps({"version": 1}))

    def judged(*given: Any) -> Any:
        found = load_version(*given)
        assert found is not None
        return replace(found, tags={**found.tags, "verdict": verdict})

    monkeypatch.setattr(deciding_version, "aliases", lambda *_: {})
    monkeypatch.setattr(deciding_version, "standing", lambda *_: Standing(None, is_off=False, approved=frozenset()))
    monkeypatch.setattr(deciding_version, "load_version", judged)
    told = decided(settings)
    assert told["verdict"] == json.loads(night.decide_result.read_text(encoding="utf-8"))["verdict"] == verdict
    assert (f"the gate's verdict on it is {verdict}" in told["skipped"]) == (verdict != "promote")
    with night.draft_list.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row.get("gate") for row in rows} == {None if verdict == "promote" else verdict}
    assert {row["price_of_money"] for row in rows} == {f"{told['price']:.6f}"}
    assert not Lake(settings.lake, "simulated_promotion").decisions("promotion").exists()
