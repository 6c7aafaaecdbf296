"""A shop that lives day by day: like the one that is simulated at once, and the same after an interruption."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rl.errors import ShopError
from rl.shops.recommendation.life_delivery import deliver_last_day
from rl.shops.recommendation.own_decisions import OwnDecisions
from rl.shops.recommendation.session_memory import CLICK, IMPRESSION, PURCHASE
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.shop_life import Question, ShopLife, Shown
from rl.shops.recommendation.shop_settings import Dirt, ShopSettings
from rl.shops.recommendation.simulate import simulate

SETTINGS = ShopSettings(n_days=4, n_shoppers=300, seed=5)


def _lived(settings: ShopSettings, logs: Path, *, saved: Path | None = None) -> ShopLife:
    shop = build_shop(settings)
    life = ShopLife.born(shop)
    for day in range(settings.n_days):
        life.live(OwnDecisions(shop, day))
        deliver_last_day(life, logs)
        if saved is not None:
            life.save(saved)
            life = ShopLife.resumed(shop, saved)
    return life


def _lines(logs: Path) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for path in sorted(logs.glob("*/events-*.jsonl.gz"))
        for line in gzip.decompress(path.read_bytes()).decode().splitlines()
    ]


def test_a_life_that_is_kept_between_days_is_the_same(tmp_path: Path) -> None:
    _lived(SETTINGS, tmp_path / "whole")
    _lived(SETTINGS, tmp_path / "kept", saved=tmp_path / "life.json")
    whole = {path.relative_to(tmp_path / "whole"): path.read_bytes() for path in (tmp_path / "whole").rglob("*.*")}
    assert len(whole) == 4 * 4
    for path, content in whole.items():
        assert (tmp_path / "kept" / path).read_bytes() == content


def test_shoppers_behave_as_in_the_days_that_are_simulated_at_once(tmp_path: Path) -> None:
    """Visits, clicks and purchases a day are within four standard errors: the same rules, other chance."""
    settings = SETTINGS.model_copy(update={"dirt": Dirt.none(), "n_shoppers": 1500, "n_days": 3})
    _lived(settings, tmp_path)
    lived = Counter(str(line["event_type"]) for line in _lines(tmp_path))
    events = simulate(build_shop(settings), is_observed=False).events
    calendar = build_shop(settings).calendar
    inside = calendar.day(events.time) < settings.n_days
    for rank, name in ((IMPRESSION, "impression"), (CLICK, "click"), (PURCHASE, "purchase")):
        expected = int((events.rank[inside] == rank).sum())
        # Events of a shopper come together: twice Poisson's variance, and both counts are drawn.
        assert abs(lived[name] - expected) < 4 * np.sqrt(2 * 2 * expected), name


def test_every_event_names_its_decision_and_its_shopper_once(tmp_path: Path) -> None:
    _lived(SETTINGS.model_copy(update={"dirt": Dirt.none()}), tmp_path)
    lines = _lines(tmp_path)
    shown = {line["decision_id"]: line["user_id"] for line in lines if line["event_type"] == "impression"}
    assert len({line["event_id"] for line in lines}) == len(lines)
    assert all(shown[line["decision_id"]] == line["user_id"] for line in lines)
    assert all(0 < float(str(line["propensity"])) <= 1 for line in lines if line["event_type"] == "impression")


def test_whoever_decides_sees_what_happened_before_and_nothing_later() -> None:
    shop = build_shop(SETTINGS)
    life, own = ShopLife.born(shop), OwnDecisions(shop, 0)
    asked: list[Question] = []

    def decide(questions: list[Question]) -> list[Shown]:
        asked.extend(questions)
        return own(questions)

    life.live(decide)  # type: ignore[arg-type]  # a list is a sequence
    assert max(len(one.seen) for one in asked) > 2
    for question in asked:
        times = [str(event["event_time"]) for event in question.seen]
        assert times == sorted(times)
        moment = np.datetime_as_string(np.datetime64(question.time, "us"), unit="us")
        assert all(time < f"{moment}Z" for time in times)
        ids = [str(event["decision_id"]) for event in question.seen if event["event_type"] == "impression"]
        assert len(set(ids)) == len(ids)


def test_a_decider_that_leaves_out_questions_is_refused() -> None:
    life = ShopLife.born(build_shop(SETTINGS))
    with pytest.raises(ShopError, match="decisions were asked for, 0 came"):
        life.live(lambda _: [])


def test_there_is_no_day_after_the_last(tmp_path: Path) -> None:
    life = _lived(SETTINGS.model_copy(update={"n_days": 1}), tmp_path)
    with pytest.raises(ShopError, match="lived them all"):
        life.live(lambda _: [])


def test_the_file_of_another_shop_is_refused(tmp_path: Path) -> None:
    life = _lived(SETTINGS, tmp_path / "logs")
    life.save(tmp_path / "life.json")
    other = build_shop(SETTINGS.model_copy(update={"n_shoppers": 20}))
    with pytest.raises(ShopError, match="of another shop"):
        ShopLife.resumed(other, tmp_path / "life.json")
    (tmp_path / "life.json").write_text("{}")
    with pytest.raises(ShopError, match="not what a shop's days leave"):
        ShopLife.resumed(other, tmp_path / "life.json")
