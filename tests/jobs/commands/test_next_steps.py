"""A look at a source ends with what to type next, and with what a scenario needs, as text that works once pasted."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.specs.scenario import SCENARIOS_FOLDER, load_pipeline
from conf.specs.source import SOURCES_FOLDER, Source, load_source
from jobs.commands import check_source as check_source_command
from jobs.commands.check_source import main
from jobs.commands.next_steps import next_line, override_for, override_lines
from jobs.proposal.proposal import propose

RIGHT: dict[str, Any] = {"is_right": True, "is_fit": True, "scenario": "recommendation", "last": date(2026, 1, 6)}


def shop(folder: Path, *, events: tuple[str, ...] = ("view", "purchase")) -> Path:
    """Two days of a shop whose log the usual scenario doesn't fit."""
    folder.mkdir()
    for day in (date(2026, 1, 5), date(2026, 1, 6)):
        rows = [f"{day}T10:{n:02d}:00Z,u{n % 9},i{n % 5},{events[n % len(events)]},9.5,1" for n in range(40)]
        text = "\n".join(["at,user_id,item_id,event,price,qty", *rows, ""])
        (folder / f"log_{day:%Y%m%d}.csv").write_text(text, encoding="utf-8")
    return folder


def drafted(tmp_path: Path, logs: Path) -> Path:
    """A folder of sources with the draft among those that ship."""
    folder = tmp_path / "sources"
    folder.mkdir()
    for path in SOURCES_FOLDER.glob("*.yaml"):
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "shop.yaml").write_text(propose([logs], "shop"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("events", [("view", "purchase"), ("impression", "click", "purchase"), ("purchase",)])
def test_a_pasted_override_makes_the_scenario_fit(tmp_path: Path, events: tuple[str, ...]) -> None:
    """At the end of the file that ships, as the line says."""
    sources = drafted(tmp_path, shop(tmp_path / "logs", events=events))
    source = load_source("shop", sources)
    override = override_for("recommendation", source)
    assert override is not None
    told = override_lines("recommendation", source, override)
    assert "below `overrides:`" in told[0]
    text = (SCENARIOS_FOLDER / "recommendation.yaml").read_text(encoding="utf-8")
    (tmp_path / "recommendation.yaml").write_text("\n".join([text.rstrip(), *told[1:], ""]), encoding="utf-8")
    fitted = load_pipeline("recommendation", "shop", folder=tmp_path, sources_folder=sources)
    assert fitted.scenario.action.mask == "none"
    expected = "itself" if events == ("purchase",) else "last_touch"
    assert fitted.scenario.reward.attribution.link == expected


def test_what_only_a_person_can_mend_gets_no_override(tmp_path: Path) -> None:
    """A log without a reward; nor does a source that has an override."""
    content = yaml.safe_load(propose([shop(tmp_path / "logs", events=("view",))], "shop"))
    assert override_for("recommendation", Source.model_validate(content)) is None
    assert override_for("recommendation", load_source("rees46")) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            "next: make nightly SOURCE=rees46 LOGS='my logs' DATE=2026-01-06 (the last day to use",
        ),
        ({"scenario": "other"}, "next: make nightly SOURCE=rees46 LOGS='my logs' SCENARIO=other DATE=2026-01-06"),
        (
            {"is_fit": False},
            "next: mend conf/scenarios/recommendation.yaml as said above, then again make check-source",
        ),
        ({"is_right": False}, "next: mend conf/sources/rees46.yaml, then again make check-source SOURCE=rees46 LOGS="),
    ],
)
def test_next_command_is_whole(changes: dict[str, Any], expected: str) -> None:
    """With the date, where a log's paths name no days."""
    assert next_line(load_source("rees46"), Path("my logs"), **RIGHT | changes).startswith(expected)


def test_dated_files_need_no_date() -> None:
    assert next_line(load_source("canonical"), Path("x"), **RIGHT) == "next: make nightly SOURCE=canonical LOGS=x"


def test_check_source_ends_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of its lines, whether the lines are right or not; stdout is the one JSON object as before."""
    logs = shop(tmp_path / "logs")
    sources = drafted(tmp_path, logs)
    monkeypatch.setattr(check_source_command, "load_source", lambda name: load_source(name, sources))
    monkeypatch.setattr(
        check_source_command,
        "load_pipeline",
        lambda scenario, name: load_pipeline(scenario, name, sources_folder=sources),
    )
    assert main(["--source", "shop", "--logs", str(logs)]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines()[-1].startswith("next: mend conf/scenarios/recommendation.yaml")
    assert "  shop:\n    action: {mask: none}\n" in said.err
    assert json.loads(said.out)["source"] == "shop"
    (sources / "shop.yaml").write_text((sources / "shop.yaml").read_text().replace("unit: iso", "unit: seconds"))
    assert main(["--source", "shop", "--logs", str(logs)]) != 0
    assert capsys.readouterr().err.splitlines()[-1].startswith("next: mend conf/sources/shop.yaml, then again")


def test_names_that_yaml_or_make_read_otherwise_stay_what_they_are() -> None:
    """A shop of Norway is called `no`, which is false to YAML; a dollar begins a variable of make."""
    source = load_source("canonical").model_copy(update={"name": "no"})
    content = yaml.safe_load("\n".join(override_lines("recommendation", source, {"action": {"mask": "none"}})[1:]))
    assert content == {"no": {"action": {"mask": "none"}}}
    assert "LOGS='/logs/$$new shop'" in next_line(source, Path("/logs/$new shop"), **RIGHT)


def test_a_draft_keeps_such_a_name(tmp_path: Path) -> None:
    """Whoever names the source so gets a draft that can be read."""
    assert yaml.safe_load(propose([shop(tmp_path / "logs")], "no"))["name"] == "no"
