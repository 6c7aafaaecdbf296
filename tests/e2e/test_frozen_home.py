"""A home of an earlier release opens: nothing that it knew is lost by the upgrade."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
from datetime import date
from functools import reduce
from itertools import zip_longest
from operator import add
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Lake, Run
from conf.publication import read_pointers
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import load_pipeline
from conf.tables import EVENTS, EVENTS_REJECTED, SESSIONS, Table
from jobs.publishing.written_hashes import file_sums
from rl.commands.register import night_key
from rl.data.dataset import load_dataset
from rl.figures.night import NightFigures, read_figures
from rl.page.render import render_page
from rl.page.review_content import review_content
from rl.registry.champion import find_champion
from rl.registry.looks import find_looks
from rl.registry.memory import known_looks, known_models
from rl.registry.moved_aliases import moved_aliases
from rl.registry.store import aliases, open_store
from tests.frozen_home.unpacked_home import unpack_home

SOURCE, SCENARIO, MODEL = "simulated_shop", "recommendation", "recommendation-policy"
FIRST_NIGHT, LAST_NIGHT = date(2026, 3, 14), date(2026, 3, 15)
DIGESTS = {FIRST_NIGHT: "91c008ea443baa1c736e4488386c8924", LAST_NIGHT: "527e5d7e4e4db7861b4954454a624dc1"}

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("frozen_home")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_home(tmp_path_factory.mktemp("frozen"))


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(home)})


def test_pseudonyms_stay(home: Path, settings: Settings) -> None:
    """Another key would make every shopper a new one."""
    pointers = read_pointers(Lake(home / "lake", SOURCE).table("events"))
    assert len(pointers) == 14
    assert {pointer.manifest.key_id for pointer in pointers.values()} == {settings.pseudonym_key_id()}


@pytest.mark.parametrize("table", [EVENTS, EVENTS_REJECTED, SESSIONS], ids=lambda table: table.name)
def test_its_rows_have_the_hashes_that_they_had(home: Path, table: Table) -> None:
    """Columns that a table gained since change none: else the next night would make everything anew."""
    folder = Lake(home / "lake", SOURCE).table(table.name)
    for _, pointer in sorted(read_pointers(folder).items())[::7]:
        sums = [file_sums(folder / file, table)[0] for file in pointer.files]
        assert reduce(add, sums).content_hash == pointer.manifest.content_hash


@pytest.mark.parametrize("night", [FIRST_NIGHT, LAST_NIGHT])
def test_prepared_nights_are_read_as_they_were(home: Path, night: date) -> None:
    """The same partitions, rows and digest; the evaluation that the version rests on."""
    run = Run(home, SOURCE, SCENARIO, night)
    dataset = load_dataset(load_pipeline(SCENARIO, SOURCE), Lake(home / "lake", SOURCE), run)
    assert dataset.digest == read_figures(run.evaluation).dataset_digest == DIGESTS[night]
    counted = json.loads((run.dataset / "dataset.json").read_text())["counts"]
    assert dataset.published.transitions.n_transitions == counted["n_transitions"] > 40_000


def as_then(now: Any, then: Any) -> Any:
    """What is told now without keys that an earlier release didn't know, of which nothing is told."""
    if isinstance(now, dict) and isinstance(then, dict):
        kept = {name: value for name, value in now.items() if name in then or value is not None}
        return {name: as_then(value, then.get(name)) for name, value in kept.items()}
    if isinstance(now, list) and isinstance(then, list):
        return [as_then(one, other) for one, other in zip_longest(now, then)]
    return now


def test_its_evaluations_are_read_as_figures(home: Path) -> None:
    """Verdict, gain, who was champion, and the page made of them: as the release that wrote them had it."""
    path = Run(home, SOURCE, SCENARIO, LAST_NIGHT).evaluation
    figures, was = read_figures(path), json.loads(path.read_text())
    told = was["review"]["judgment"]
    assert (figures.verdict.decision, list(figures.verdict.reasons)) == (told["outcome"], told["reasons"])
    assert figures.gain is not None
    assert (figures.gain.value, figures.gain.lower) == (told["gain"]["value"], told["gain"]["lower"])
    assert (figures.champion_in_force, figures.compared_with) == ("1", "1")
    assert [figures.role(name) for name in figures.policies] == ["behavior", "candidate", "champion"]
    page = review_content(figures)
    assert (
        as_then([one.model_dump(mode="json") for one in page.policies], was["review"]["policies"])
        == (was["review"]["policies"])
    )
    assert set(told["notes"]) < set(page.judgment.notes)
    assert told["reasons"][0] in html.unescape(render_page(page))


def test_an_uncompared_champion_of_an_earlier_release_is_told_apart(home: Path) -> None:
    """Such releases named the champion in force alone; whether it has a report says if it was compared."""
    content = json.loads(Run(home, SOURCE, SCENARIO, LAST_NIGHT).evaluation.read_text())
    content["review"]["policies"] = [one for one in content["review"]["policies"] if one["role"] != "champion"]
    figures = NightFigures.model_validate(content)
    assert (figures.champion_in_force, figures.compared_with) == ("1", "behavior")


def test_champion_challenger_and_spent_allowance_stay(home: Path, settings: Settings) -> None:
    """The champion can be asked and compared, and what its nights spent counts for the next one."""
    run = Run(home, SOURCE, SCENARIO, LAST_NIGHT)
    pipeline = load_pipeline(SCENARIO, SOURCE)
    dataset = load_dataset(pipeline, Lake(home / "lake", SOURCE), run)
    features = [feature.name for feature in pipeline.scenario.observation.features]
    key = night_key(read_figures(run.evaluation))
    with open_store(settings) as client:
        assert aliases(client, MODEL) == {"champion": 1, "challenger": 2}
        assert moved_aliases(client, settings, MODEL) == ()
        champion = find_champion(client, key, features=features, vocabulary=dataset.vocabulary)
        looks = find_looks(client, key)
    assert champion is not None
    assert (champion.version.version, champion.problem) == (1, "")
    assert champion.policy is not None
    assert champion.policy.exploration_floor == 0.6
    assert [look.version for look in looks] == [1]
    assert looks[0].level > 0


def test_the_waiting_challenger_can_be_approved(home: Path, settings: Settings) -> None:
    """What was asked before the upgrade can be answered after it; the home then knows its registry."""
    arguments = ["--source", SOURCE, "--scenario", SCENARIO, "--date", str(LAST_NIGHT), "--version", "2"]
    finished = subprocess.run(
        [sys.executable, "-m", "rl", "promote", *arguments],
        env=os.environ | {"NIGHTCART_HOME": str(home), "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    promoted = json.loads(finished.stdout)
    assert (promoted["champion"], promoted["previous"], promoted["is_new"]) == (2, 1, True)
    with open_store(settings) as client:
        assert aliases(client, MODEL) == {"champion": 2, "previous": 1}
        assert moved_aliases(client, settings, MODEL) == ()
    assert (known_models(settings)[MODEL].champion, known_models(settings)[MODEL].last_version) == (2, 2)
    assert sorted(look.version for look in known_looks(settings)) == [1, 2]
