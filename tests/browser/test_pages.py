"""Every page as a real browser shows it, wide and narrow, light and dark: nothing reaches out, nothing goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.paths import failures_log, site_folder
from conf.settings import Settings
from rl.commands import home as home_command
from rl.experiment.page import render_experiment_page
from rl.figures.comparison import (
    CODE,
    ActionChange,
    DecisionChanges,
    Difference,
    PairedValues,
    SectionDifference,
    SegmentChange,
    VersionComparison,
)
from rl.figures.values import Spread
from rl.monitor.page import render_monitor_page
from rl.page.compare_page import render_comparison
from rl.page.loop_page import render_loop_page
from rl.page.render import render_page
from rl.shopper_models.page import render_shopper_page
from rl.worth.page import render_worth_page
from tests.browser.chromium import Chromium, Look, browser, find_chromium
from tests.frozen_home.unpacked_home import unpack_home
from tests.rl.experiment.experiments import report
from tests.rl.monitor import monitor_factory
from tests.rl.page.content_factory import estimated_review, implied_review
from tests.rl.page.full_review import full_review
from tests.rl.page.test_compare_page import comparison, version
from tests.rl.page.test_loop_page import _figures as loop_figures
from tests.rl.shopper_models.test_shopper_page import figures as shopper_figures
from tests.rl.worth.findings_factory import make_findings

CHROMIUM = find_chromium()
HOME_PAGES = ("home", "empty home", "table")
DRAWN: dict[str, Callable[[], str]] = {
    "review": lambda: render_page(full_review()),
    "review of an implied log": lambda: render_page(implied_review()),
    "review with calibration": lambda: render_page(estimated_review()),
    "compare": lambda: render_comparison(long_comparison()),
    "monitor": lambda: render_monitor_page(monitor_factory.figures()),
    "loop": lambda: render_loop_page(loop_figures()),
    "worth": lambda: render_worth_page(make_findings()),
    "model of shoppers": lambda: render_shopper_page(shopper_figures()),
    "experiment": lambda: render_experiment_page(report()),
}
PAPERS = {False: "rgb(255, 255, 255)", True: "rgb(20, 23, 26)"}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each page as a file, with texts that are longer than a phone is wide."""
    folder = tmp_path_factory.mktemp("pages")
    found = {"home": written_home(unpack_home(folder)), "empty home": written_home(folder / "nothing")}
    found["table"] = found["home"].parent / "tables" / "simulated_shop" / "transitions.recommendation.html"
    for name, draw in DRAWN.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(draw(), encoding="utf-8")
    return found


def written_home(home: Path) -> Path:
    """The home page of a home whose last task failed over a long path."""
    if home.is_dir():
        reason = f"no space left on device: {'/a_long_folder_name' * 12}/part-00000.parquet"
        line = {"time": "2026-03-16T02:00:00+00:00", "dag": "train_recommendation", "run": "r", "date": "2026-03-16"}
        failures_log(home).parent.mkdir(exist_ok=True)
        failures_log(home).write_text(json.dumps(line | {"task": "train discrete_cql-1", "reason": reason}) + "\n")
    home_command.run(settings=Settings.from_environment({"NIGHTCART_HOME": str(home)}))
    return site_folder(home) / "index.html"


def long_comparison() -> VersionComparison:
    spread = Spread(value=0.123456, lower=-0.234567, upper=0.345678)
    keys = tuple(
        Difference(name=f"scenario.rollout.a_key_with_a_long_name_{n}", a="", b=json.dumps(list(range(40))))
        for n in range(7)
    )
    segment: dict[str, Any] = {"n_decisions": 12_345, "n_units": 4_321, "distance": spread}
    label = "came twice in thirty days"
    return comparison(
        a=version(3, date=date(2026, 1, 3), decision="approved by ann, 2026-01-04: it earns more in every segment"),
        specs=keys,
        sections=(SectionDifference(name="scenario.rollout", n_keys=7, only="b"),),
        data=(Difference(name=CODE, a="0123456789abcdef" * 2, b="fedcba9876543210" * 2),),
        paired=PairedValues(estimator="dr", level=0.95, rests_on="the test episodes", difference=spread),
        decisions=DecisionChanges(
            n_decisions=12_345,
            n_units=4_321,
            overall=spread,
            actions=tuple(ActionChange(action=f"item-{n:03d}", a=0.1, b=0.2) for n in range(5)),
            segments=(SegmentChange(dimension="visits", label=label, **segment),),
        ),
    )


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    assert CHROMIUM is not None
    with browser(CHROMIUM, tmp_path_factory.mktemp("profile")) as running:
        yield running


def look(chromium: Chromium, page: Path, width: int, *, is_dark: bool = False) -> Look:
    return chromium.open(page.as_uri(), width=width, is_dark=is_dark)


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("name", [*HOME_PAGES, *DRAWN])
def test_nothing_reaches_out_of_the_page(
    chromium: Chromium, pages: dict[str, Path], name: str, width: int, is_dark: bool
) -> None:
    """Wide tables scroll within a box that shows it; the console says nothing; colors are those of the scheme."""
    seen = look(chromium, pages[name], width, is_dark=is_dark)
    assert (seen.width, seen.document_width) == (width, width)
    assert seen.beyond == ()
    assert seen.unmarked == 0
    assert seen.errors == ()
    assert seen.background == PAPERS[is_dark]


def test_wide_tables_do_scroll_on_a_phone(chromium: Chromium, pages: dict[str, Path]) -> None:
    """Else the test above would say nothing of them."""
    assert all(look(chromium, pages[name], 390).n_scrolling for name in ("table", "review", "compare", "monitor"))


def test_a_click_leads_from_the_home_page_to_a_table_and_a_review(chromium: Chromium, pages: dict[str, Path]) -> None:
    look(chromium, pages["home"], 1400)
    assert chromium.click('#tables a[href*="transitions"]') == pages["table"].as_uri()
    assert chromium.click(".crumbs a") == pages["home"].as_uri()
    assert chromium.click(".nights a").endswith("/runs/simulated_shop/recommendation/2026-03-15/review.html")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<div style="width:600px">wide</div>', "<div"),
        ('<div class="scroll" style="overflow-x:auto"><p style="width:600px">wide</p></div>', ""),
    ],
    ids=["a wide box", "a wide box in one that scrolls"],
)
def test_the_look_sees_what_reaches_out(chromium: Chromium, tmp_path: Path, body: str, expected: str) -> None:
    """Also where the page cuts it off, so that the document is no wider than the window."""
    page = tmp_path / "page.html"
    style = '<meta name="viewport" content="width=device-width"><body style="overflow-x:clip">'
    page.write_text(f"<!doctype html>{style}{body}<script>console.error('bad')</script>")
    seen = look(chromium, page, 390)
    assert "".join(seen.beyond)[:4] == expected[:4]
    assert seen.unmarked == (0 if expected else 1)
    assert seen.errors == ("bad",)
