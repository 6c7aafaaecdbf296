"""Runs, versions and aliases in a real MLflow store."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from conf.errors import FAILS_AGAIN, exit_code
from conf.settings import Settings
from rl.errors import RefusedRequest, RegistryError
from rl.gate.alpha_spending import Look
from rl.learning.curves import Curve
from rl.registry.entry import CandidateRecord, NightKey, VersionRecord
from rl.registry.looks import find_looks
from rl.registry.promotion import promote_version
from rl.registry.runs import finish_night_run, night_run, record_candidates
from rl.registry.store import aliases, experiment_id, open_store
from rl.registry.versions import RegisteredVersion, all_versions, create_version, find_version, offer_as_challenger

MODEL = "recommendation-policy"
FIRST, SECOND = date(2026, 1, 30), date(2026, 1, 31)


def settings_at(home: Path) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(home)})


def key(**overrides: Any) -> NightKey:
    content = {
        "scenario": "recommendation",
        "source": "shop",
        "date": FIRST,
        "dataset_digest": "d" * 32,
        "spec_hash": "s" * 16,
        "code_hash": "c" * 16,
    }
    return NightKey(**{**content, **overrides})


def record(**overrides: Any) -> VersionRecord:
    content = {
        "verdict": "promote",
        "champion_in_force": "behavior",
        "compared_with": "behavior",
        "horizon": FIRST,
        "description": "**promote**",
    }
    return VersionRecord(**{**content, **overrides})


def candidate(name: str = "bc-1") -> CandidateRecord:
    curve = Curve(candidate=name, split="train", metric="loss", updates=(0, 10, 20), values=(1.0, 0.5, None))
    return CandidateRecord(name, {"seed": "1"}, {"validation_value": 1.2, "unknown": float("nan")}, (curve,))


def register(home: Path, night: NightKey, version: VersionRecord | None = None) -> RegisteredVersion:
    """The steps of one registration, as the command takes them."""
    settings = settings_at(home)
    folder = home / "staged"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MLmodel").write_text("flavors: {}\n", encoding="utf-8")
    with open_store(settings) as client:
        experiment = experiment_id(client, settings, night.scenario)
        run = night_run(client, experiment, night)
        record_candidates(client, experiment, run, key=night, candidates=[candidate("bc-1"), candidate("bc-2")])
        found = find_version(client, night) or create_version(
            client, run, key=night, record=version or record(horizon=night.date), model_folder=folder
        )
        offer_as_challenger(client, found)
        finish_night_run(client, run, key=night, metrics={"gain": 0.2}, files=[folder / "MLmodel"])
    return found


def runs(client: MlflowClient, home: Path) -> list[Any]:
    return list(client.search_runs([experiment_id(client, settings_at(home), "recommendation")]))


def promote(home: Path, version: int, *, source: str = "shop", run_date: date = FIRST) -> Any:
    with open_store(settings_at(home)) as client:
        return promote_version(client, MODEL, version, source=source, run_date=run_date)


def test_registering_twice_makes_one_version_and_the_same_runs(home: Path) -> None:
    """However often a night is repeated it has one version, one parent and one child for each candidate."""
    first, again = register(home, key()), register(home, key())
    assert (first.version, first.run_id) == (again.version, again.run_id)
    with open_store(settings_at(home)) as client:
        assert len(runs(client, home)) == 3
        assert len(client.search_model_versions(f"name = '{MODEL}'")) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"source": "other"},
        {"date": SECOND},
        {"dataset_digest": "e" * 32},
        {"spec_hash": "t" * 16},
        {"code_hash": "x"},
    ],
)
def test_other_inputs_make_another_version(home: Path, changed: dict[str, Any]) -> None:
    """Source, date, dataset, spec and code each tell versions apart."""
    assert register(home, key()).version != register(home, key(**changed)).version


def test_curves_are_stepped_metrics_of_the_child(home: Path) -> None:
    """A child run holds its curve point by point, without gaps filled in, once however often it was written."""
    register(home, key())
    with open_store(settings_at(home)) as client:
        (child,) = [run for run in runs(client, home) if run.data.tags.get("nightcart.candidate") == "bc-1"]
        parent = next(run for run in runs(client, home) if run.data.tags["nightcart.role"] == "night")
        client.delete_tag(child.info.run_id, "nightcart.is_complete")
    register(home, key())
    with open_store(settings_at(home)) as client:
        history = client.get_metric_history(child.info.run_id, "train/loss")
        assert [(point.step, point.value) for point in history] == [(0, 1.0), (10, 0.5)]
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert "unknown" not in child.data.metrics


def _killed_after(home: Path, step: str) -> None:
    """A registration that ends without a word after the named step."""
    import os  # noqa: PLC0415 - only for the child process

    settings, night = settings_at(home), key()
    with open_store(settings) as client:
        experiment = experiment_id(client, settings, night.scenario)
        run = night_run(client, experiment, night)
        if step == "candidates":
            record_candidates(client, experiment, run, key=night, candidates=[candidate("bc-1")])
        if step == "half a child":
            tags = {"mlflow.parentRunId": run, "nightcart.candidate": "bc-1", "nightcart.role": "candidate"}
            client.create_run(experiment, run_name="bc-1", tags={**night.tags, **tags})
        if step == "model files":
            client.create_registered_model(MODEL)
            (home / "part").mkdir()
            (home / "part" / "MLmodel").write_text("half", encoding="utf-8")
            client.log_artifacts(run, str(home / "part"), "policy")
        os._exit(9)


@pytest.mark.parametrize("step", ["night run", "candidates", "half a child", "model files"])
def test_a_registration_that_was_killed_is_completed(home: Path, step: str) -> None:
    """Killed after any step and repeated: one version, one parent, one finished child each, nothing locked."""
    process = multiprocessing.get_context("spawn").Process(target=_killed_after, args=(home, step))
    process.start()
    process.join(120)
    assert process.exitcode == 9
    register(home, key())
    with open_store(settings_at(home)) as client:
        found = runs(client, home)
        assert sorted(run.data.tags["nightcart.role"] for run in found) == ["candidate", "candidate", "night"]
        assert {run.info.status for run in found} == {"FINISHED"}
        assert len(client.search_model_versions(f"name = '{MODEL}'")) == 1


def _register_in_process(home: Path) -> None:
    register(home, key())


def test_two_processes_at_once_make_one_version(tmp_path: Path) -> None:
    """Two registrations of the same night on a store that doesn't exist yet both succeed, and make one version."""
    home = tmp_path / "new"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_register_in_process, args=(home,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0]
    with open_store(settings_at(home)) as client:
        assert len(client.search_model_versions(f"name = '{MODEL}'")) == 1
        assert len(runs(client, home)) == 3


@pytest.mark.parametrize("verdict", ["reject", "abstain"])
def test_only_a_passed_version_is_challenger(home: Path, verdict: str) -> None:
    """A version with another verdict than promote is registered, without an alias."""
    register(home, key(), record(verdict=verdict))
    with open_store(settings_at(home)) as client:
        assert aliases(client, MODEL) == {}


def test_an_older_night_does_not_take_the_challenger_alias(home: Path) -> None:
    """Registered after a later night, an earlier one (a backfill) leaves the challenger alone."""
    later = register(home, key(date=SECOND))
    register(home, key(date=FIRST))
    with open_store(settings_at(home)) as client:
        assert aliases(client, MODEL) == {"challenger": later.version}


def test_promotion_moves_champion_and_previous(home: Path) -> None:
    """The approved version is champion, the old one previous, and nobody waits as challenger."""
    first = register(home, key())
    promote(home, first.version)
    second = register(home, key(date=SECOND), record(champion_in_force=str(first.version), horizon=SECOND))
    result = promote(home, second.version, run_date=SECOND)
    assert (result.champion, result.previous, result.is_new) == (second.version, first.version, True)
    with open_store(settings_at(home)) as client:
        assert aliases(client, MODEL) == {"champion": second.version, "previous": first.version}


def test_promoting_again_changes_nothing(home: Path) -> None:
    """An approval that arrives twice says that the version is champion already, and its repeat stays no challenger."""
    version = register(home, key()).version
    promote(home, version)
    register(home, key())
    again = promote(home, version)
    assert (again.champion, again.is_new, again.skipped) == (version, False, None)
    with open_store(settings_at(home)) as client:
        assert aliases(client, MODEL) == {"champion": version}


def test_promotion_skips_a_version_the_gate_did_not_pass(home: Path) -> None:
    """A rejected version is rightly not promoted: the reason is in the result, not an error."""
    version = register(home, key(), record(verdict="reject")).version
    assert "verdict" in str(promote(home, version).skipped)


def test_promotion_is_stale_when_the_champion_has_changed(home: Path) -> None:
    """Gated against the behavior policy, but by now there is a champion: gate again, and don't ask again meanwhile."""
    first = register(home, key())
    second = register(home, key(dataset_digest="e" * 32))
    with open_store(settings_at(home)) as client:
        client.set_registered_model_alias(MODEL, "champion", str(first.version))
    told = r"stale: gate again: .*there was no champion when it was gated"
    with pytest.raises(RefusedRequest, match=told) as refused:
        promote(home, second.version)
    assert exit_code(refused.value) == FAILS_AGAIN


def test_promotion_is_stale_when_another_version_is_challenger(home: Path) -> None:
    """The approval names a version; a later challenger does not inherit it."""
    first = register(home, key())
    second = register(home, key(date=SECOND))
    with pytest.raises(RefusedRequest, match=rf"stale: gate again: .*the challenger is version {second.version}"):
        promote(home, first.version)


@pytest.mark.parametrize("wrong", [{"source": "other"}, {"run_date": SECOND}])
def test_promotion_refuses_the_version_of_another_night(home: Path, wrong: dict[str, Any]) -> None:
    """Version, source and date must belong together."""
    version = register(home, key()).version
    with pytest.raises(RefusedRequest, match="of another night"):
        promote(home, version, **wrong)


def test_promotion_of_an_unknown_version_is_an_error(home: Path) -> None:
    """A version that was never registered can't be promoted."""
    with pytest.raises(RefusedRequest, match="has no version 7"):
        promote(home, 7)


def test_promotion_killed_half_way_is_completed(home: Path) -> None:
    """Killed after `previous` moved, or before the challenger alias was dropped: a repeat ends in the same state."""
    first = register(home, key())
    promote(home, first.version)
    second = register(home, key(date=SECOND), record(champion_in_force=str(first.version), horizon=SECOND))
    with open_store(settings_at(home)) as client:
        client.set_registered_model_alias(MODEL, "previous", str(first.version))
    promote(home, second.version, run_date=SECOND)
    with open_store(settings_at(home)) as client:
        client.set_registered_model_alias(MODEL, "challenger", str(second.version))
    promote(home, second.version, run_date=SECOND)
    with open_store(settings_at(home)) as client:
        assert aliases(client, MODEL) == {"champion": second.version, "previous": first.version}


def test_an_unreachable_store_is_one_clear_error(home: Path) -> None:
    """A store that can't be opened is named in the message."""
    settings = replace(settings_at(home), mlflow_uri="nonsense://store")
    with pytest.raises(RegistryError, match="nonsense://store"), open_store(settings) as client:
        experiment_id(client, settings, "recommendation")


def test_looks_are_what_earlier_versions_spent(home: Path) -> None:
    """Each night's level is read from its version; tonight's own repeat, other sources and abstentions don't count."""
    spent = {"verdict": "reject", "details": {"level": "0.0088"}}
    register(home, key(), record(**spent))
    register(home, key(date=SECOND), record(verdict="abstain", details={"level": "0"}))
    register(home, key(source="another shop"), record(**spent))
    register(home, key(code_hash="of an older release"), record(verdict="reject"))
    with open_store(settings_at(home)) as client:
        assert find_looks(client, key(date=SECOND)) == (Look(FIRST, 0.0088, 1),)
        assert find_looks(client, key()) == ()


def test_all_versions_are_found_page_by_page(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that gives its versions in pages of one hides none of them."""
    for number in range(3):
        register(home, key(dataset_digest=str(number)))
    in_one = MlflowClient.search_model_versions

    def one_by_one(self: MlflowClient, condition: str, page_token: str | None = None) -> Any:
        return in_one(self, condition, max_results=1, page_token=page_token)

    with open_store(settings_at(home)) as client, monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "search_model_versions", one_by_one)
        assert sorted(version.version for version in all_versions(client, MODEL)) == [1, 2, 3]
