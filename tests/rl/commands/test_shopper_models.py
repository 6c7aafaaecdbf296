"""Models of shoppers from a lake to the registry and to scores: promoted, refused with the reason, never twice."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import rl.commands.fit_shopper_models as fitting
from conf.paths import Lake, ShopperModelRun
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.shopper_model import ShopperModel, ShopperModelGate
from rl.commands import forget, score_shoppers
from rl.errors import EvaluationError, ForgettingError, RegistryError
from rl.registry.store import aliases, open_store
from rl.registry.versions import all_versions, load_version
from rl.shopper_models.figures import read_shopper_figures
from tests.rl.shopper_models.events_lake import FIRST, event, write_events, write_purchases
from tests.rl.shopper_models.simulated_activity import simulate

SOURCE, NAME = "simulated_shop", "purchase-propensity-7"
REGISTERED = f"{SOURCE}-{NAME}"
N_DAYS = 150
LAST = FIRST + timedelta(days=N_DAYS - 1)
EARLIER = LAST - timedelta(days=28)


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    """A home with a lake of purchases and an MLflow store."""
    home = tmp_path_factory.mktemp("filled")
    write_purchases(Lake(home / "lake", SOURCE), simulate(400, N_DAYS, seed=5).bought)
    with open_store(Settings.from_environment({"NIGHTCART_HOME": str(home)})) as client:
        client.search_experiments()
    return home


@pytest.fixture
def settings(tmp_path, filled) -> Settings:
    shutil.copytree(filled, tmp_path / "home")
    return Settings.from_environment({"NIGHTCART_HOME": str(tmp_path / "home")})


def spec(**changes) -> ShopperModel:
    base = {
        "name": NAME,
        "title": "Will buy within 7 days",
        "target": "purchase",
        "horizon_days": 7,
        "active_days": 60,
        "windows": (7, 28),
        "features": ("days_since_purchase", "n_purchases", "mean_gap_days", "weekday_visits"),
        "n_as_of_days": 12,
        "n_resamples": 200,
        "gate": ShopperModelGate(min_slope=0.5, max_slope=2.0, margin=0.05),
    }
    return ShopperModel(**(base | changes))


def fit(settings, monkeypatch, run_date=LAST, **changes):
    monkeypatch.setattr(fitting, "load_shopper_model", lambda _: spec(**changes))
    return fitting.run(settings=settings, source=SOURCE, run_date=run_date, model=NAME)["models"][0]


def registered(settings):
    with open_store(settings) as client:
        found = sorted(all_versions(client, REGISTERED), key=lambda one: one.version)
        return {one.version: one.tags for one in found}, aliases(client, REGISTERED)


def test_a_model_that_passes_is_champion_and_a_repeat_makes_no_new_version(settings, monkeypatch):
    first = fit(settings, monkeypatch)
    assert (first["version"], first["verdict"], first["is_champion"], first["is_new"]) == (1, "promote", True, True)
    paths = ShopperModelRun(settings.home, SOURCE, NAME, LAST)
    figures, page = paths.figures.read_bytes(), paths.page.read_bytes()
    paths.figures.unlink()
    again = fit(settings, monkeypatch)
    assert again == first | {"is_new": False}
    versions, held = registered(settings)
    assert (list(versions), held) == ([1], {"champion": 1})
    assert (paths.figures.read_bytes(), paths.page.read_bytes()) == (figures, page)
    found = read_shopper_figures(paths.figures)
    assert found.known_until < found.horizon
    assert found.counts.test_days[0] >= found.known_until


def test_other_code_that_learns_the_same_makes_no_new_version(settings, monkeypatch):
    first = fit(settings, monkeypatch)
    monkeypatch.setattr(fitting, "code_hash", lambda *_: "another")
    assert fit(settings, monkeypatch) == first | {"is_new": False}
    changed = fit(settings, monkeypatch, seed=1)
    assert (changed["version"], changed["is_new"]) == (2, True)


def test_a_model_that_is_not_calibrated_is_a_version_without_alias(settings, monkeypatch):
    found = fit(settings, monkeypatch, gate=ShopperModelGate(min_slope=0.01, max_slope=0.02))
    assert (found["verdict"], found["is_champion"]) == ("reject", False)
    versions, held = registered(settings)
    assert held == {}
    assert re.search(r"its calibration slope is \S+ \(\S+ to \S+ by the shoppers tested\)", versions[1]["reason"])
    told = score_shoppers.run(settings=settings, source=SOURCE, run_date=LAST, model=NAME, version=None)
    assert told["skipped"] == f"{NAME}: it has no champion: nothing has passed the gate yet"
    with pytest.raises(RegistryError, match="has no version 7 that was fitted on simulated_shop"):
        score_shoppers.run(settings=settings, source=SOURCE, run_date=LAST, model=NAME, version=7)
    by_number = score_shoppers.run(settings=settings, source=SOURCE, run_date=LAST, model=NAME, version=1)
    assert by_number["models"][0]["n_scored"] > 0


def test_a_champion_from_earlier_data_gives_way_to_no_worse_model(settings, monkeypatch):
    earlier = fit(settings, monkeypatch, EARLIER)
    later = fit(settings, monkeypatch)
    assert [(one["version"], one["is_champion"]) for one in (earlier, later)] == [(1, True), (2, True)]
    versions, held = registered(settings)
    assert held == {"champion": 2, "previous": 1}
    assert versions[2]["compared_with"] == "1"
    assert versions[1]["dataset_digest"] != versions[2]["dataset_digest"]
    compared = read_shopper_figures(ShopperModelRun(settings.home, SOURCE, NAME, LAST).figures).differences[-1]
    assert compared.other == "champion (version 1)"
    assert fit(settings, monkeypatch, EARLIER)["is_champion"] is False  # the old date again changes nothing
    assert registered(settings) == (versions, held)


def test_a_model_worse_than_the_champion_is_refused_by_the_paired_bound(settings, monkeypatch):
    fit(settings, monkeypatch, EARLIER)
    worse = fit(settings, monkeypatch, features=("n_purchases",), windows=(28,))
    assert worse["verdict"] == "reject"
    versions, held = registered(settings)
    assert held == {"champion": 1}
    assert "may be worse than the champion" in versions[2]["reason"]
    assert versions[2]["champion_in_force"] == "1"


def test_a_model_that_learned_nothing_is_refused_with_the_reason(settings, monkeypatch):
    """Everybody's tenure is the same here, so that its predictions are too."""
    found = fit(settings, monkeypatch, features=("tenure_days",))
    assert (found["verdict"], found["slope"]) == ("reject", None)
    assert "has no calibration slope" in registered(settings)[0][1]["reason"]


def test_a_champion_that_knows_the_test_days_keeps_its_place(settings, monkeypatch):
    """Judged on outcomes that it was fitted on it would look better than it is, and nothing fair can be said."""
    fit(settings, monkeypatch)
    older = fit(settings, monkeypatch, EARLIER)
    assert older["verdict"] == "reject"
    versions, held = registered(settings)
    assert held == {"champion": 1}
    assert "outcomes of the test days" in versions[2]["reason"]


def test_a_champion_of_another_question_is_no_baseline(settings, monkeypatch):
    fit(settings, monkeypatch, EARLIER)
    other = fit(settings, monkeypatch, horizon_days=5)
    assert other["is_champion"]
    versions, _ = registered(settings)
    assert (versions[2]["champion_in_force"], versions[2]["compared_with"]) == ("1", "behavior")
    refused = read_shopper_figures(ShopperModelRun(settings.home, SOURCE, NAME, LAST).figures).refused
    assert "answers another question: its horizon_days differ" in refused["champion (version 1)"]


def test_scores_are_the_champions_and_repeat_to_the_same_digest(settings, monkeypatch):
    fit(settings, monkeypatch)
    first = score_shoppers.run(settings=settings, source=SOURCE, run_date=LAST, model=NAME, version=None)["models"][0]
    again = score_shoppers.run(settings=settings, source=SOURCE, run_date=LAST, model=NAME, version=None)["models"][0]
    assert again == first | {"is_new": False}
    pointers = read_pointers(Lake(settings.lake, SOURCE).shopper_scores(NAME))
    (manifest,) = [one.manifest for one in pointers.values()]
    assert list(pointers) == [f"as_of={LAST + timedelta(days=1)}"]
    assert f"mlflow/{REGISTERED}/version=1" in manifest.inputs
    assert (manifest.n_rows, manifest.counters) == (first["n_shoppers"], {"n_scored": first["n_scored"]})
    assert Path(first["csv"]).read_text(encoding="utf-8").count("\n") == first["n_shoppers"] + 1


def test_a_model_of_later_data_scores_no_earlier_day(settings, monkeypatch):
    fit(settings, monkeypatch)
    with pytest.raises(EvaluationError, match="it would know their future"):
        score_shoppers.run(settings=settings, source=SOURCE, run_date=EARLIER, model=NAME, version=None)


def test_too_few_days_are_a_skip_that_registers_nothing(settings, monkeypatch):
    found = fit(settings, monkeypatch, FIRST + timedelta(days=12))
    assert "as-of day" in found["skipped"]
    assert registered(settings) == ({}, {})
    every = score_shoppers.run(settings=settings, source=SOURCE, run_date=LAST, model=None, version=None)
    assert every["skipped"].count("it has no champion") == len(every["models"]) - 1
    assert "session-purchase: it is of running sessions" in every["skipped"]


def test_other_deliveries_make_another_version(settings, monkeypatch):
    """The same date with one event more is other data; neither version has seen the test days, so it may take over."""
    fit(settings, monkeypatch)
    lake = Lake(settings.lake, SOURCE)
    bought = simulate(400, N_DAYS, seed=5).bought
    shopper, day = np.nonzero(bought)
    rows = [
        event(f"s{one:06d}", int(at), "purchase", price=10_000_000, quantity=1, currency="EUR")
        for one, at in zip(shopper, day, strict=True)
    ]
    write_events(lake, [*rows, event("new", N_DAYS - 1)], n_days=N_DAYS)
    fit(settings, monkeypatch)
    versions, held = registered(settings)
    assert (list(versions), held) == ([1, 2], {"champion": 2, "previous": 1})
    assert versions[2]["compared_with"] == "1"


def test_a_source_whose_model_scores_is_not_forgotten_by_accident(settings, monkeypatch):
    fit(settings, monkeypatch)
    with pytest.raises(ForgettingError, match=f"{REGISTERED} version 1 is champion"):
        forget.run(settings=settings, source=SOURCE, is_confirmed=True, is_forced=False)
    with open_store(settings) as client:
        assert load_version(client, REGISTERED, 1) is not None
