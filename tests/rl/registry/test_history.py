"""Earlier versions, as a real MLflow store remembers them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from rl.registry.entry import NightKey, VersionRecord
from rl.registry.history import EarlierVersion, earlier_versions
from rl.registry.runs import finish_night_run, night_run
from rl.registry.store import CHAMPION, experiment_id, open_store
from rl.registry.versions import RegisteredVersion, create_version
from tests.rl.registry.test_registry import settings_at


def register_nights(home: Path, gains: list[dict[str, float]]) -> list[RegisteredVersion]:
    """One version a night, from 1 January on, each with its run's figures."""
    settings, found = settings_at(home), []
    folder = home / "staged"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}\n", encoding="utf-8")
    with open_store(settings) as client:
        experiment = experiment_id(client, settings, "recommendation")
        for number, figures in enumerate(gains):
            night = date(2026, 1, 1 + number)
            key = NightKey("recommendation", "shop", night, "d" * 32, "s" * 16, "c" * 16)
            run = night_run(client, experiment, key)
            record = VersionRecord("promote", "behavior", "behavior", night, "", {"candidate": "bc-1"})
            found.append(create_version(client, run, key=key, record=record, model_folder=folder))
            finish_night_run(client, run, key=key, metrics=figures, files=[])
    return found


def history(home: Path, version: RegisteredVersion, *, limit: int = 30) -> tuple[EarlierVersion, ...]:
    with open_store(settings_at(home)) as client:
        return earlier_versions(client, version, limit=limit)


def test_history_holds_the_versions_before_the_latest_first(home: Path) -> None:
    """Later versions and the version itself are no history; gains are those of each version's own night."""
    figures = {"gain": 0.4, "gain_lower": 0.1, "gain_upper": 0.7}
    versions = register_nights(home, [figures, {}, {"gain": 0.2}, {}])
    found = history(home, versions[2])
    assert [(one.version.version, str(one.date), one.gain, one.lower, one.upper) for one in found] == [
        (2, "2026-01-02", None, None, None),
        (1, "2026-01-01", 0.4, 0.1, 0.7),
    ]


def test_history_says_who_is_served(home: Path) -> None:
    """Aliases stand with the version that holds them now, and their holder is shown beyond any limit."""
    versions = register_nights(home, [{}, {}, {}])
    with open_store(settings_at(home)) as client:
        client.set_registered_model_alias("recommendation-policy", CHAMPION, "1")
    found = history(home, versions[2], limit=1)
    assert [(one.version.version, one.aliases) for one in found] == [(2, ()), (1, (CHAMPION,))]


def test_the_first_version_has_no_history(home: Path) -> None:
    """Nothing was registered before it."""
    assert history(home, register_nights(home, [{}])[0]) == ()
