"""From the simulated shop's deliveries to the week's list: no skew, no offer for opt-outs, never beyond the budget."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.errors import SpecError
from conf.observation_features import id_hash
from conf.paths import Lake, Run
from conf.publication import Pointer, read_pointers, write_atomically
from conf.settings import Settings
from conf.specs.budget import OfferCap, Pacing
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.tables import DECISIONS
from jobs.commands.ingest import ingest
from jobs.commands.observe import observe
from jobs.transitions.build import build
from rl.commands import decide
from rl.data.arrow_schema import arrow_schema
from rl.data.week_observations import read_week
from rl.errors import DatasetError, PolicyError
from rl.lists import weekly_decisions
from rl.lists.list_publishing import ListOrigin, ListPrices, publish_list
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary
from rl.policy.network import DenseNetwork
from rl.policy.observation_encoder import ColumnEncoding
from rl.policy.offer_prices import Cap, OfferPrices
from rl.policy.weekly_list import draw_weekly_list
from rl.registry import deciding_version
from rl.registry.approvals import Standing, approve
from rl.registry.entry import NightKey, VersionRecord
from rl.registry.person import Person
from rl.registry.runs import night_run
from rl.registry.store import CHAMPION, experiment_id, open_store
from rl.registry.switching import turn_off
from rl.registry.versions import create_version, load_version
from rl.shops.promotion.promotion_settings import FeedDirt, PromotionSettings
from rl.shops.promotion.writer import write_promotion_logs
from tests.e2e.served_observations import rows_of

pytestmark = pytest.mark.e2e

N_WEEKS, FIRST_MONDAY = 5, date(2026, 1, 5)
AS_OF = FIRST_MONDAY + timedelta(weeks=N_WEEKS - 1)
SUNDAY = AS_OF - timedelta(days=1)
KEYS = ("none", "reminder", "percent_15", "voucher_5", "letter_10")
COMMITTED = (0, 40_000, 9_042_500, 5_042_500, 11_137_500)
CAP = 3

Row = dict[str, Any]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """So few lines have too many broken ones on some day."""
    made = load_pipeline("promotion", "simulated_promotion")
    source = made.source.model_copy(update={"max_rejected_share": 1.0})
    return made.model_copy(update={"source": source})


@pytest.fixture(scope="module")
def settings(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, pipeline: Pipeline) -> Settings:
    """A home with transitions of all weeks, and observations of the last one, made of what came before it."""
    home = tmp_path_factory.mktemp("weekly")
    shop = PromotionSettings(first_monday=FIRST_MONDAY, n_weeks=N_WEEKS, n_shoppers=150, dirt=FeedDirt())
    write_promotion_logs(home / "shop", shop)
    made = Settings.from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": "a key for tests only"})
    last = FIRST_MONDAY + timedelta(days=7 * N_WEEKS - 1)
    ingest(spark, made, pipeline.source, logs=home / "shop" / "logs", horizon=last, code_hash="code")
    build(spark, made, pipeline, last)
    result = observe(spark, made, pipeline, AS_OF)
    assert result["n_shoppers"] == result["n_rows"] > 100
    assert observe(spark, made, pipeline, AS_OF)["content_hash"] == result["content_hash"]
    _register(made)
    return made


def a_policy() -> StochasticPolicy:
    """Of a network that likes offers, the dearer the more."""
    columns = (ColumnEncoding("n_offers_28d", "count"), ColumnEncoding("spend_28d", "count", mean=8.0, spread=8.0))
    network = DenseNetwork((np.outer(np.arange(5), [0.1, 0.4]).astype(np.float32),), (np.arange(5, dtype=np.float32),))
    prices = OfferPrices(
        committed=COMMITTED,
        outputs_per_money=0.3,
        price=0.1,
        weekly_budget=300_000_000,
        n_shoppers=150.0,
        path_prices=(0.0, 0.1, 3.0),
        path_spend=(8.0, 2.0, 0.5),
        nothing=0,
        caps=(Cap("n_offers_28d", CAP),),
    )
    return StochasticPolicy(
        name="planted-1",
        network=network,
        encoder=ObservationEncoder(columns),
        vocabulary=Vocabulary(KEYS, tuple(id_hash(key) for key in KEYS), has_other=False),
        output_scale=1.0,
        temperature=1.0,
        exploration_floor=0.1,
        is_other_chosen=False,
        dataset_digest="d",
        prices=prices,
    )


def _register(settings: Settings) -> None:
    key = NightKey("promotion", "simulated_promotion", SUNDAY, "d", "s", "c")
    staged = settings.home / "staged"
    a_policy().save(staged / "data" / "policy")
    with open_store(settings) as client:
        run = night_run(client, experiment_id(client, settings, key.scenario), key)
        record = VersionRecord("promote", "behavior", "behavior", key.date, "promote")
        version = create_version(client, run, key=key, record=record, model_folder=staged).version
        client.set_registered_model_alias(key.model, CHAMPION, str(version))
        approve(settings, key.model, version, replaced=None, who="ann", why="better")


def decided(settings: Settings, **given: Any) -> dict[str, Any]:
    arguments = {"source": "simulated_promotion", "scenario": "promotion", "run_date": SUNDAY}
    return decide.run(settings=settings, **{**arguments, "version": None, "budget": None, **given})


def observed_rows(settings: Settings, pipeline: Pipeline) -> dict[str, Row]:
    folder = Lake(settings.lake, pipeline.source.name).observations("promotion", data_spec_hash(pipeline))
    return {row["user_id"]: row for row in rows_of(folder, partition=f"as_of={AS_OF}")}


def decisions_of_the_day(settings: Settings, pipeline: Pipeline) -> dict[str, Row]:
    folder = Lake(settings.lake, pipeline.source.name).transitions("promotion", data_spec_hash(pipeline))
    start = int(datetime(AS_OF.year, AS_OF.month, AS_OF.day).timestamp()) * 1_000_000
    day = 86_400_000_000
    return {row["user_id"]: row for row in rows_of(folder) if start - day < row["decision_time"] < start + day}


def list_rows(settings: Settings) -> list[Row]:
    folder = Lake(settings.lake, "simulated_promotion").decisions("promotion")
    pointer = read_pointers(folder)[f"as_of={AS_OF}"]
    return [row for file in pointer.files for row in pq.ParquetFile(folder / file).read().to_pylist()]


def test_observations_of_a_week_are_those_of_its_transitions(settings: Settings, pipeline: Pipeline) -> None:
    """To the last feature, of every shopper whom anything was known of; the others came that very day."""
    observed, decided_then = observed_rows(settings, pipeline), decisions_of_the_day(settings, pipeline)
    both = observed.keys() & decided_then.keys()
    assert len(both) > 100
    wrong = [user for user in both if observed[user]["observation"] != decided_then[user]["observation"]]
    assert wrong == []
    newcomers = [decided_then[user]["observation"] for user in decided_then.keys() - observed.keys()]
    assert all(one["n_visit_days_28d"] == 0 and one["days_since_offer_91d"] == -1 for one in newcomers)
    lists = [one["observation"]["favorite_categories"] for one in observed.values()]
    assert sum(map(bool, lists)) > 50


def test_shoppers_without_consent_are_not_observed(settings: Settings, pipeline: Pipeline) -> None:
    """Nor are any but those of the log, whose rows without consent were set aside."""
    events = rows_of(Lake(settings.lake, "simulated_promotion").table("events"))
    known = {row["user_id"] for row in events if row["event_type"] == "impression"}
    consent = {
        row["user_id"]: row["is_given"] for row in rows_of(Lake(settings.lake, "simulated_promotion").table("consent"))
    }
    refused = {user for user in known if not consent.get(user, False)}
    assert refused
    assert not observed_rows(settings, pipeline).keys() & refused


def test_opt_outs_are_those_of_the_log(settings: Settings, pipeline: Pipeline) -> None:
    """Whom the shop blocked that day had said so before: the register told it."""
    observed, decided_then = observed_rows(settings, pipeline), decisions_of_the_day(settings, pipeline)
    both = observed.keys() & decided_then.keys()
    blocked = {user for user in both if decided_then[user]["availability_id"] == "blocked"}
    assert blocked
    assert {user for user in both if observed[user]["has_opted_out"]} == blocked


def test_a_list_decides_for_every_shopper_within_the_budget(settings: Settings, pipeline: Pipeline) -> None:
    """With its propensities; opt-outs and whoever hasn't come for long get nothing, as does who had enough offers."""
    result = decided(settings, budget=300.0)
    rows, observed = list_rows(settings), observed_rows(settings, pipeline)
    assert [row["user_id"] for row in rows] == sorted(observed)
    committed = sum(dict(zip(KEYS, COMMITTED, strict=True))[row["action"]] for row in rows)
    assert committed == sum(row["committed"] for row in rows) == round(result["committed"] * 1e6)
    assert 250e6 < committed <= 300e6
    for row in rows:
        one = observed[row["user_id"]]
        may_get = one["is_active"] and not one["has_opted_out"]
        assert row["availability_id"] == ("everyone" if may_get else "blocked")
        if not may_get or one["observation"]["n_offers_28d"] >= CAP:
            assert (row["action"], row["propensity"]) == ("none", 1)
        assert 0 < row["propensity"] <= 1
    assert result["offers"]["letter_10"] > 0
    assert result["n_opted_out"] > 0
    assert {row["policy_version"] for row in rows} == {a_policy().version}
    assert len({row["decision_id"] for row in rows}) == len(rows)


def test_caps_that_the_scenario_was_given_since_hold_too(
    settings: Settings, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One offer in four weeks at most, of a policy that was judged at three."""
    budget = pipeline.scenario.budget
    assert budget is not None
    capped = budget.model_copy(update={"caps": (OfferCap(offers=1, weeks=4),)})
    scenario = pipeline.scenario.model_copy(update={"budget": capped})
    observed = observed_rows(settings, pipeline)

    def to_the_capped() -> int:
        decided(settings, budget=300.0)
        rows = list_rows(settings)
        return sum(row["action"] != "none" and observed[row["user_id"]]["observation"]["n_offers_28d"] for row in rows)

    assert to_the_capped() > 0
    with monkeypatch.context() as patched:
        patched.setattr(decide, "load_pipeline", lambda *_: pipeline.model_copy(update={"scenario": scenario}))
        assert to_the_capped() == 0


def test_the_csv_file_holds_the_same_list(settings: Settings) -> None:
    """As a log of decisions that can be delivered: pseudonyms, times with their zone, exact money."""
    result = decided(settings, budget=300.0)
    with Path(result["csv"]).open(encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file))
    rows = list_rows(settings)
    assert [one["decision_id"] for one in told] == [row["decision_id"] for row in rows]
    assert [one["action"] for one in told] == [row["action"] for row in rows]
    assert [float(one["propensity"]) for one in told] == [float(row["propensity"]) for row in rows]
    assert {one["decision_time"] for one in told} == {"2026-02-02T05:00:00+00:00"}
    assert round(sum(float(one["committed"]) for one in told), 6) == result["committed"]


@pytest.mark.parametrize("budget", [0.0, 3.0, 40.0, 120.0, 5000.0])
def test_any_other_budget_is_kept_without_another_policy(settings: Settings, budget: float) -> None:
    result = decided(settings, budget=budget)
    assert result["committed"] <= budget
    assert (result["committed"] > 0) == (budget > 0)
    assert result["policy_version"] == a_policy().version


def test_a_repeat_changes_nothing(settings: Settings) -> None:
    first, second = decided(settings, budget=200.0), decided(settings, budget=200.0)
    assert first["content_hash"] == second["content_hash"]
    assert (first["is_new"], second["is_new"]) == (True, False)
    assert decided(settings, budget=201.0)["is_new"]


def test_a_planted_overrun_is_not_published(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawing that sends everybody the letter, opt-outs too, is caught on the rows; the list before it stays."""
    before = decided(settings, budget=200.0)["content_hash"]

    def everybody(*given: Any, **named: Any) -> Any:
        drawn = draw_weekly_list(*given, **named)
        return replace(drawn, index=np.full(len(drawn.index), 4), committed=np.full(len(drawn.index), COMMITTED[4]))

    monkeypatch.setattr(weekly_decisions, "draw_weekly_list", everybody)
    with pytest.raises(
        PolicyError, match=r"not published: it commits 1,\d+\.\d+, and the budget is 200\.0+: .* opted out"
    ):
        decided(settings, budget=200.0)
    folder = Lake(settings.lake, "simulated_promotion").decisions("promotion")
    assert read_pointers(folder)[f"as_of={AS_OF}"].manifest.content_hash == before


def test_days_on_which_no_week_starts_are_refused(spark: SparkSession, settings: Settings, pipeline: Pipeline) -> None:
    """Both commands say on which days lists are decided; one that nobody observed says how to."""
    with pytest.raises(SpecError, match=f"is a tuesday, .* observe as of {AS_OF + timedelta(days=7)}"):
        observe(spark, settings, pipeline, AS_OF + timedelta(days=1))
    with pytest.raises(SpecError, match="no week of promotion starts on that day, but on each monday"):
        decided(settings, run_date=AS_OF)
    with pytest.raises(DatasetError, match=rf"no observations as of {AS_OF + timedelta(days=7)}; .* observe"):
        decided(settings, run_date=SUNDAY + timedelta(days=7))


def test_observations_by_another_eligibility_decide_nothing(settings: Settings, pipeline: Pipeline) -> None:
    """Else who opts out by a value that was added since would get an offer."""
    eligibility = pipeline.scenario.eligibility
    assert eligibility is not None
    lake = Lake(settings.lake, pipeline.source.name)
    assert len(read_week(pipeline, lake, AS_OF)) > 100
    stricter = eligibility.model_copy(update={"opted_out": {"newsletter": ("nein", "pausiert")}})
    scenario = pipeline.scenario.model_copy(update={"eligibility": stricter})
    with pytest.raises(DatasetError, match=rf"another eligibility than promotion has now; .*--as-of {AS_OF}"):
        read_week(pipeline.model_copy(update={"scenario": scenario}), lake, AS_OF)


def test_opt_outs_are_the_same_whatever_their_letters(
    spark: SparkSession, settings: Settings, pipeline: Pipeline
) -> None:
    """A scenario that writes the word otherwise than the register finds the same shoppers, and observes anew."""
    before = {user for user, row in observed_rows(settings, pipeline).items() if row["has_opted_out"]}
    eligibility = pipeline.scenario.eligibility
    assert before
    assert eligibility is not None
    otherwise = eligibility.model_copy(update={"opted_out": {"newsletter": (" NEIN",)}})
    scenario = pipeline.scenario.model_copy(update={"eligibility": otherwise})
    observe(spark, settings, pipeline.model_copy(update={"scenario": scenario}), AS_OF)
    assert {user for user, row in observed_rows(settings, pipeline).items() if row["has_opted_out"]} == before
    observe(spark, settings, pipeline, AS_OF)
    assert len(read_week(pipeline, Lake(settings.lake, pipeline.source.name), AS_OF)) > 100


def test_a_delivery_ingested_again_since_decides_nothing(settings: Settings, pipeline: Pipeline) -> None:
    """Until somebody observes again: the list would be of what was known before."""
    place = Lake.pointer(Lake(settings.lake, pipeline.source.name).table("events"), f"delivery_date={SUNDAY}")
    published = place.read_text(encoding="utf-8")
    pointer = Pointer.model_validate_json(published)
    manifest = pointer.manifest.model_copy(update={"content_hash": "0-again"})
    try:
        write_atomically(place, pointer.model_copy(update={"manifest": manifest}).model_dump_json())
        with pytest.raises(DatasetError, match=rf"\(events/delivery_date={SUNDAY}\); observe again"):
            decided(settings, version=1)
    finally:
        write_atomically(place, published)
    assert "skipped" not in decided(settings, version=1)


def test_before_an_approval_the_night_s_version_drafts_its_list(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The draft is what the list would be; the table of what was decided doesn't change, and an approval ends it."""
    approved, night = decided(settings), Run(settings.home, "simulated_promotion", "promotion", SUNDAY)
    folder = Lake(settings.lake, "simulated_promotion").decisions("promotion")
    before = read_pointers(folder)
    with monkeypatch.context() as patched:
        patched.setattr(deciding_version, "aliases", lambda *_: {})
        patched.setattr(deciding_version, "standing", lambda *_: Standing(None, is_off=False, approved=frozenset()))
        assert "skipped" in decided(settings)
        assert not night.draft_list.exists()  # no night registered anything
        write_atomically(night.registration, json.dumps({"version": 1}))
        told = decided(settings)
        assert "nothing was approved yet" in told["skipped"]
        assert f"version 1's list is drafted: {night.draft_list}" in told["skipped"]
        assert night.draft_list.read_bytes() == Path(approved["csv"]).read_bytes()
        told = json.loads(night.decide_result.read_text())
        assert (told["is_draft"], told["verdict"]) == (True, "promote")
    assert read_pointers(folder) == before
    assert decided(settings)["is_draft"] is False
    assert not night.draft_list.exists()


def test_a_rejected_version_s_draft_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the sentence, in the summary, and in every row of the file: nobody sends it for a list that passed."""
    night = Run(settings.home, "simulated_promotion", "promotion", SUNDAY)
    write_atomically(night.registration, json.dumps({"version": 1}))

    def rejected(*given: Any) -> Any:
        found = load_version(*given)
        assert found is not None
        return replace(found, tags={**found.tags, "verdict": "reject"})

    with monkeypatch.context() as patched:
        patched.setattr(deciding_version, "aliases", lambda *_: {})
        patched.setattr(deciding_version, "standing", lambda *_: Standing(None, is_off=False, approved=frozenset()))
        patched.setattr(deciding_version, "load_version", rejected)
        told = decided(settings)
    assert "drafted for review alone (the gate's verdict on it is reject)" in told["skipped"]
    assert told["verdict"] == "reject"
    with night.draft_list.open(encoding="utf-8", newline="") as file:
        assert {row["gate"] for row in csv.DictReader(file)} == {"reject"}
    night.draft_list.unlink()


def test_a_paced_budget_leaves_nothing_beyond_the_period(
    settings: Settings, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four weeks of 100 a week: the last one may commit what no list before it did, and no larger budget."""
    budget = pipeline.scenario.budget
    assert budget is not None
    pacing = Pacing(weeks=4, starts=AS_OF - timedelta(weeks=3), most=3.0)
    paced = budget.model_copy(update={"weekly": 100.0, "pacing": pacing})
    scenario = pipeline.scenario.model_copy(update={"budget": paced})
    monkeypatch.setattr(decide, "load_pipeline", lambda *_: pipeline.model_copy(update={"scenario": scenario}))
    told = decided(settings)
    assert told["weekly_budget"] == 300.0  # three times 100 at most, of the 400 that are left
    assert told["committed"] <= 300.0
    assert told["period"]["week"] == 4
    assert decided(settings)["content_hash"] == told["content_hash"]
    assert decided(settings, budget=400.0)["committed"] <= 400.0
    with pytest.raises(PolicyError, match=r"has 400\.000000 left of its 400\.00; name a smaller --budget"):
        decided(settings, budget=401.0)
    rows, lake = list_rows(settings), Lake(settings.lake, "simulated_promotion")
    origin = ListOrigin("promotion", AS_OF - timedelta(weeks=1), SUNDAY, "s", "c", "k", 0, {}, ListPrices(0.0, None))
    publish_list(lake, pa.Table.from_pylist(rows, schema=arrow_schema(DECISIONS)), origin)
    committed = sum(row["committed"] for row in rows)
    told = decided(settings)
    assert round(told["weekly_budget"] * 1e6) == 400_000_000 - committed
    assert round(told["committed"] * 1e6) + committed <= 400_000_000
    Lake.pointer(lake.decisions("promotion"), f"as_of={AS_OF - timedelta(weeks=1)}").unlink()


def test_turned_off_nothing_is_decided(settings: Settings) -> None:
    with open_store(settings) as client:
        turn_off(client, settings, "promotion-policy", Person("ann", "voucher codes leaked"))
    assert "was turned off" in decided(settings)["skipped"]
    assert "skipped" not in decided(settings, version=1)
