"""The home page stands whatever a home lacks, leads to every page that is there, and changes nothing else."""

from __future__ import annotations

import html
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conf.paths import ShopperModelRun, comparison_page, site_folder
from conf.settings import Settings
from rl.commands import forget
from rl.commands import home as command
from rl.registry.approvals import read_approvals, write_down
from rl.registry.launches import Launch, Stage, begin_launch
from rl.registry.memory import registry_address
from rl.registry.store import CHAMPION, open_store
from tests.frozen_home.unpacked_home import unpack_home
from tests.rl.site.conftest import DAY, SCENARIO, SOURCE, Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(unpack_home(tmp_path_factory.mktemp("frozen")))})


def written(settings: Settings) -> str:
    command.run(settings=settings)
    return html.unescape((site_folder(settings.home) / "index.html").read_text(encoding="utf-8"))


def files(folder: Path) -> dict[str, float]:
    found = (path for path in folder.rglob("*") if path.is_file() and "site" not in path.relative_to(folder).parts)
    return {str(path): path.stat().st_mtime_ns for path in found if path.name != "_registry_lock"}


def test_an_empty_home_says_what_to_do(home: Home) -> None:
    page = written(home.settings)
    assert "No night left anything in this home" in page
    assert "make nightly" in page
    assert [path.name for path in home.folder.iterdir()] == ["site"]


def test_lines_set_aside_by_a_column_stand_beside_the_reasons(home: Home) -> None:
    counters = {"n_lines": 100, "n_events": 80, "n_rejected": 20, "rejected.ignored": 20}
    profile = {SOURCE: {"n_lines": 100, "ignored/channel": 15}}
    home.publish(home.lake.table("events"), f"delivery_date={DAY}", counters=counters, profile=profile)
    page = written(home.settings)
    assert "of these, by what stands in <code>channel</code> (<code>ignore_where</code>)" in page
    assert re.search(r"channel.*?<td class=\"n\">15</td><td class=\"n\">15", page)


def test_the_share_that_a_champion_decides_for_is_told_with_since_when(home: Home) -> None:
    """By the home's own records; once a first version was rolled back, by whom and why the shop decides."""
    home.night(0)
    model, settings = f"{SCENARIO}-policy", home.settings
    since = datetime(2026, 3, 5, 2, 10, tzinfo=UTC)
    stages = (Stage(share=0.05, started_at=since - timedelta(days=3)), Stage(share=0.25, started_at=since))
    begin_launch(settings, Launch(registry=registry_address(settings), model=model, version=1, stages=stages))
    write_down(settings, model, "promote", 1, replaced=None, who="ann", why="it earns more")
    (record,) = read_approvals(settings, model)
    page = written(settings)
    assert "Champion: version 1" in page
    # The record's own moment is later here than the stage's, which a real one never is.
    assert (
        f"it decides for 25.0% of the shoppers since {record.at:%Y-%m-%d %H:%M} UTC, and the shop for the others"
        in page
    )
    write_down(settings, model, "rollback", None, replaced=1, who="bob", why="umbrellas alone")
    page = written(settings)
    assert "The shop decides by its own rule: version 1, the first one, was rolled back (bob, " in page
    assert "umbrellas alone)" in page


def test_a_night_that_failed_stands_first_and_says_why(home: Home) -> None:
    home.deliver(0)
    home.night(0)
    home.failed(0, reason="no space left on <device>")
    page = written(home.settings)
    assert "not through: build is its last stage" in page
    assert "evaluate failed: no space left on <device>" in page
    assert "there is no registry yet" in page
    raw = (site_folder(home.folder) / "index.html").read_text()
    assert "&lt;device&gt;" in raw


def test_an_earlier_releases_home_is_shown_and_left_as_it_was(frozen: Settings) -> None:
    before = files(frozen.home)
    result = command.run(settings=frozen)
    page = html.unescape(Path(result["page"]).read_text(encoding="utf-8"))
    assert result["waiting"] == ["recommendation-policy"]
    assert result["problems"] == []
    assert "Champion: version 1" in page
    assert "version 2 of the night of 2026-03-15 passed the gate" in page
    assert files(frozen.home) == before


def test_every_link_leads_to_a_page_that_is_there(frozen: Settings) -> None:
    """As the pages lie in the home; addresses below the web server are the same."""
    command.run(settings=frozen)
    pages = sorted(site_folder(frozen.home).rglob("*.html"))
    assert len(pages) == 8
    links = [(page, link) for page in pages for link in re.findall(r'href="([^"]+)"', page.read_text())]
    assert any(link.endswith("review.html") for _, link in links)
    for page, link in links:
        target, _, anchor = link.partition("#")
        place = page if not target else Path(os.path.normpath(page.parent / target))
        assert place.is_file(), (page, link)
        assert not anchor or f'id="{anchor}"' in place.read_text(), (page, link)
        assert place.is_relative_to(frozen.home)


def test_pages_load_nothing_from_elsewhere(frozen: Settings) -> None:
    command.run(settings=frozen)
    for page in site_folder(frozen.home).rglob("*.html"):
        text = page.read_text()
        assert "<script" not in text
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', text), page
        assert "url(" not in text


def test_an_alias_moved_by_hand_is_the_first_thing_said(tmp_path: Path) -> None:
    settings = Settings.from_environment({"NIGHTCART_HOME": str(unpack_home(tmp_path))})
    with open_store(settings) as client:
        client.set_registered_model_alias("recommendation-policy", CHAMPION, "2")
    page = written(settings)
    assert page.index("alias champion is on version 2") < page.index("Last nights")
    assert "<code>make restore-aliases SCENARIO=recommendation</code>" in page


def test_pages_of_tables_that_are_gone_go_too(home: Home) -> None:
    """A source that was forgotten leaves no page behind."""
    home.publish(home.lake.table("sessions"), f"date={DAY}")
    command.run(settings=home.settings)
    pages = site_folder(home.folder) / "tables" / SOURCE
    assert [path.name for path in pages.iterdir()] == ["sessions.html"]
    home.lake.pointer(home.lake.table("sessions"), f"date={DAY}").unlink()
    command.run(settings=home.settings)
    assert list(pages.iterdir()) == []


def test_a_damaged_home_still_has_its_page(home: Home) -> None:
    """A pointer, a result and a log that can't be read are named, one by one."""
    home.deliver(0)
    run = home.night(0)
    home.write(run.registration, "{")
    home.write(home.lake.pointer(home.lake.table("events"), f"delivery_date={DAY}"), "{}")
    home.write(home.folder / "logs" / "alerts.jsonl", "half a li")
    page = written(home.settings)
    for name in ("registration.json", f"delivery_date={DAY}.json", "alerts.jsonl"):
        assert name in page[: page.index("Last nights")], name
    assert f'id="{SOURCE}-{SCENARIO}"' in page


def test_lines_without_their_usual_parts_are_shown_as_they_are(home: Home) -> None:
    """Another release's, or somebody's own: no part is missed."""
    home.write(home.folder / "logs" / "failures.jsonl", '{"task": "evaluate"}\n{"dag": 5}\n[]\n')
    home.write(home.folder / "logs" / "alerts.jsonl", '{"told": "the disk is nearly full"}\n')
    page = written(home.settings)
    assert "<td>evaluate</td>" in page
    assert "the disk is nearly full" in page
    assert "failures.jsonl: a line of it is no JSON object" in page


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"null", b'{"manifest": 3}'])
def test_a_pointer_of_any_bytes_is_named(home: Home, content: bytes) -> None:
    home.deliver(0)
    pointer = home.lake.pointer(home.lake.table("events"), f"delivery_date={DAY}")
    for path in (pointer, pointer.with_name("delivery_date=someday.json")):
        path.write_bytes(content)
    told = "\n".join(command.run(settings=home.settings)["problems"])
    for name in (pointer.name, "delivery_date=someday.json"):
        assert f"{name}: not a pointer" in told


def test_a_partition_that_no_date_names_is_left_out_of_days(home: Home) -> None:
    home.deliver(0)
    home.publish(home.lake.table("events"), "delivery_date=someday")
    page = written(home.settings)
    assert "1 delivery, the last of Monday, 2 March 2026" in page
    assert "someday" in page


def test_a_lake_elsewhere_counts(home: Home, tmp_path: Path) -> None:
    """NIGHTCART_LAKE may name another disk; the home's own folders don't hold it."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path / "h"), "NIGHTCART_LAKE": str(tmp_path / "l")})
    settings.home.mkdir()
    part = tmp_path / "l" / SOURCE / "events" / "v-1" / "part.parquet"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 2_500_000)
    page = written(settings)
    assert "2.50 MB in all" in page
    assert str(tmp_path / "l") in page


def test_forgetting_a_source_takes_the_pages(home: Home) -> None:
    home.deliver(0)
    command.run(settings=home.settings)
    forget.run(settings=home.settings, source=SOURCE, is_confirmed=True, is_forced=False)
    assert not site_folder(home.folder).exists()


def test_fits_of_models_and_comparisons_are_linked(home: Home) -> None:
    """The last fit of each model; files of other names are no pages of ours."""
    fits = [ShopperModelRun(home.folder, "shop", "will_purchase", DAY + timedelta(days=n)).page for n in range(2)]
    comparison = comparison_page(home.folder, "recommendation-policy", 3, 5)
    for path in (*fits, comparison, comparison.with_name("notes.html"), comparison.with_name("a-b-c.html")):
        home.write(path, "<!doctype html>")
    page = written(home.settings)
    links = re.findall(r'href="(\.\./[^"]+)"', page)
    places = [Path(os.path.normpath(site_folder(home.folder) / link)) for link in links]
    assert places == [fits[1], comparison]
    assert "recommendation-policy: version 5 against version 3" in page
