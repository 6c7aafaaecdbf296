"""A whole night of weekly offers within a budget: a second time nothing changes, and its page tells of the money."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conf.paths import Lake
from conf.settings import Settings
from rl.commands import evaluate, register
from rl.figures.night import BEHAVIOR, read_figures
from rl.night import truth
from rl.shops.promotion.played_shop import PROMOTION
from tests.bench.promotion.simulated_night import promotion_pipeline, shop_of_a_year
from tests.rl.commands.conftest import NightHome
from tests.rl.promotion_lake import write_promotion_lake

pytestmark = pytest.mark.xdist_group("nights")

COMMITTED = {"reminder": 0.04, "percent_15": 9.0425, "voucher_5": 5.0425, "letter_10": 11.1375}
SMALL = {
    "splits": {"min_episodes": 50},
    "candidates": [{"algorithm": "discrete_cql", "seeds": [1], "n_updates": 60, "hidden_units": [16]}],
    "policy": {"temperatures": [0.3]},
    "evaluation": {"n_bootstrap": 200, "fqe_updates": 60},
    "gate": {"min_effective_sample_size": 5, "min_effective_rewarded": 5, "guardrails": []},
    "budget": {"weekly": 400, "committed": COMMITTED},
}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    home, pipeline = tmp_path_factory.mktemp("promotion-night"), promotion_pipeline(**SMALL)
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home)})
    lake = Lake(settings.lake, pipeline.source.name)
    made = NightHome(home, pipeline, write_promotion_lake(home, lake, pipeline, shop_of_a_year(1, 160, n_weeks=40)))
    whole_night(made)
    return made


def whole_night(night: NightHome) -> dict[str, object]:
    """The shop is played for fewer episodes than nights do, or truth would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(truth, "KNOWN_SHOPS", {"shopper_week": replace(PROMOTION, n_episodes=900)})
        night.train_all()
        night.command(evaluate)
        return night.command(register)


def figures_of(night: NightHome) -> dict[str, object]:
    """All figures but how long training took."""
    return read_figures(night.run.evaluation).model_dump(exclude={"candidates": {"__all__": {"seconds"}}})


def test_a_second_time_changes_nothing(night: NightHome) -> None:
    """The same digest and version, no new one, and every other figure as it was, though all was trained again."""
    before = figures_of(night)
    again = whole_night(night)
    assert (again["version"], again["is_new"]) == (1, False)
    assert again["dataset_digest"] == before["dataset_digest"]
    assert figures_of(night) == before


def test_it_knows_on_whom_the_money_is_spent(night: NightHome) -> None:
    """Of the log's policy and the candidate alike, since the shop is at hand."""
    found = read_figures(night.run.evaluation).truth
    assert len(found) == 2
    for played in found.values():
        assert played.spent is not None
        assert played.spent.committed > played.spent.redeemed > played.spent.on_sure_things > 0
    assert found[BEHAVIOR].spent != next(one for name, one in found.items() if name != BEHAVIOR).spent


def test_one_week_s_money_is_told_of_or_why_it_can_t_be(night: NightHome) -> None:
    """Its candidate's order comes first; a shop of so few shoppers may have too few for tenths, and says so."""
    figures = read_figures(night.run.evaluation)
    one = figures.one_decision
    assert one is not None
    assert one.refusal is None, one.refusal
    assert one.lines is not None
    assert one.lines.lines[0].name == figures.selected.name
    assert {line.name for line in one.lines.lines if line.kind == "arm"} == set(COMMITTED)
    assert one.deciles is not None or one.deciles_refusal


def test_the_page_tells_of_the_money(night: NightHome, tmp_path: Path) -> None:
    page = " ".join(night.run.page.read_text(encoding="utf-8").split())
    for said in (
        "Prices are personal here.",
        "What a budget brings",
        "What this week's money brings",
        "Whom offers move",
        "On whom the money is spent",
    ):
        assert said in page
