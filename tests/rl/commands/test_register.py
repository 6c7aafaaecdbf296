"""The registration of whole nights, and promotion of what passed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from conf.paths import Lake
from rl.commands import evaluate, promote, register
from rl.commands.register import night_key
from rl.data.dataset import load_dataset
from rl.errors import RegistryChanged, RegistryError
from rl.figures.night import read_figures
from rl.page.review_content import policy_reports
from rl.page.sentences import notes_of
from rl.registry.champion import find_champion
from rl.registry.looks import find_looks
from rl.registry.memory import known_looks
from rl.registry.store import aliases, open_store
from rl.registry.versions import key_of_same_policy
from tests.rl.commands.conftest import NightHome

pytestmark = pytest.mark.xdist_group("nights")

MODEL = "recommendation-policy"


@pytest.fixture(scope="module")
def registered(logged_night: NightHome, tmp_path_factory: pytest.TempPathFactory) -> tuple[NightHome, dict[str, Any]]:
    """The logged night, registered. Copies of its home don't work: MLflow keeps absolute paths."""
    night = logged_night.copied_to(tmp_path_factory.mktemp("registered") / "home")
    return night, night.command(register)


def client_of(night: NightHome) -> MlflowClient:
    return MlflowClient(tracking_uri=night.settings.mlflow_uri, registry_uri=night.settings.mlflow_uri)


def test_registration_says_what_was_registered(registered: tuple[NightHome, dict[str, Any]]) -> None:
    """registration.json is the printed result, and agrees with the evaluation."""
    night, result = registered
    assert json.loads(night.run.registration.read_text(encoding="utf-8")) == result
    evaluation = read_figures(night.run.evaluation)
    assert (result["model"], result["version"], result["is_new"]) == (MODEL, 1, True)
    assert result["verdict"] == evaluation.verdict.decision == "promote"
    assert result["dataset_digest"] == evaluation.dataset_digest
    assert result["is_challenger"]


def test_the_version_carries_verdict_lineage_and_reasons(registered: tuple[NightHome, dict[str, Any]]) -> None:
    """Tags and description of the version hold what a reviewer and a promotion need."""
    night, _ = registered
    version = client_of(night).get_model_version(MODEL, "1")
    evaluation = read_figures(night.run.evaluation)
    expected = {
        "verdict": "promote",
        "champion_in_force": "behavior",
        "compared_with": "behavior",
        "source": "canonical",
        "scenario": "recommendation",
        "date": str(night.run_date),
        "horizon": str(night.run_date),
        "dataset_digest": evaluation.dataset_digest,
        "spec_hash": evaluation.spec_hash,
        "code_hash": evaluation.code_hash,
        "candidate": evaluation.selected.name,
    }
    tags = {name.removeprefix("nightcart."): value for name, value in version.tags.items()}
    assert {name: tags.get(name) for name in expected} == expected
    assert evaluation.verdict.reasons[0] in str(version.description)


def test_the_run_carries_page_evaluation_and_children(registered: tuple[NightHome, dict[str, Any]]) -> None:
    """The parent run has the page and the evaluation; each candidate is a child with params, figures and curves."""
    night, result = registered
    client = client_of(night)
    assert {file.path for file in client.list_artifacts(result["run_id"])} == {
        "evaluation.json",
        "policy",
        "review.html",
        "specs.json",
    }
    experiment = client.get_experiment_by_name("nightcart/recommendation")
    assert experiment is not None
    children = client.search_runs(
        [experiment.experiment_id], filter_string=f"tags.`mlflow.parentRunId` = '{result['run_id']}'"
    )
    assert sorted(run.info.run_name for run in children) == ["bc-1", "discrete_cql-1"]
    child = next(run for run in children if run.info.run_name == "discrete_cql-1")
    assert child.data.params["n_updates"] == "400"
    assert len(client.get_metric_history(child.info.run_id, "train/td_loss")) > 2
    assert client.get_run(result["run_id"]).data.metrics["gain_lower"] > 0


def test_the_page_names_its_version(registered: tuple[NightHome, dict[str, Any]]) -> None:
    """The page in the run folder is the registered one and says how to approve it."""
    night, _ = registered
    html = night.run.page.read_text(encoding="utf-8")
    assert "recommendation-policy version 1" in html
    assert "--version 1" in html
    assert len(html) < 1_500_000


def test_registering_again_makes_no_new_version(registered: tuple[NightHome, dict[str, Any]]) -> None:
    """A repeated night gives the same version, verdict and run."""
    night, first = registered
    again = night.command(register)
    assert {**again, "is_new": True} == first
    assert len(client_of(night).search_model_versions(f"name = '{MODEL}'")) == 1


def test_the_model_loads_in_a_clean_process_without_pickle(registered: tuple[NightHome, dict[str, Any]]) -> None:
    """With pickle loading disabled and no project on the path, the registered model decides with propensities."""
    night, _ = registered
    encoder = json.loads((night.run.dataset / "encoder.json").read_text(encoding="utf-8"))
    observation: dict[str, list[Any]] = {
        column["name"]: ([[]] if column["length"] else [0]) for column in encoder["columns"]
    }
    program = (
        "import json, sys, mlflow, pandas\n"
        "mlflow.set_tracking_uri(sys.argv[1]); mlflow.set_registry_uri(sys.argv[1])\n"
        "model = mlflow.pyfunc.load_model('models:/recommendation-policy@challenger')\n"
        "found = model.predict(pandas.DataFrame(json.loads(sys.argv[2])), params={'seed': 1})\n"
        "print(json.dumps([found.action[0], found.propensity[0], found.probabilities[0]]))\n"
    )
    environment = {
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": "/usr/bin:/bin",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", program, night.settings.mlflow_uri, json.dumps(observation)],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    action, propensity, probabilities = json.loads(done.stdout.strip().splitlines()[-1])
    assert probabilities[action] == pytest.approx(propensity)
    assert sum(probabilities.values()) == pytest.approx(1)
    assert not list(night.home.rglob("*.pkl"))


def test_an_evaluation_of_another_dataset_is_refused(logged_night: NightHome, tmp_path: Path) -> None:
    """Prepared anew after the evaluation: evaluate again, nothing is registered."""
    night = logged_night.copied_to(tmp_path / "home")
    path = night.run.dataset / "dataset.json"
    path.write_text(path.read_text(encoding="utf-8").replace(read_figures(night.run.evaluation).dataset_digest, "x"))
    with pytest.raises(RegistryError, match="evaluate again"):
        night.command(register)
    assert not night.run.registration.exists()


def test_a_retrained_candidate_is_refused(logged_night: NightHome, tmp_path: Path) -> None:
    """A policy that isn't the one that was evaluated is never registered under that evaluation."""
    night = logged_night.copied_to(tmp_path / "home")
    evaluation = read_figures(night.run.evaluation)
    other = next(name for name in ("bc-1", "discrete_cql-1") if name != evaluation.selected.name)
    changed = evaluation.model_copy(update={"selected": evaluation.selected.model_copy(update={"name": other})})
    changed.write(night.run.evaluation)
    with pytest.raises(RegistryError, match="evaluated was"):
        night.command(register)


def test_a_promoted_night_can_be_repeated_and_the_next_is_gated_against_it(
    logged_night: NightHome, tmp_path: Path
) -> None:
    """Promoted, evaluated and registered again: the same version. A later night is compared with the new champion."""
    night = logged_night.copied_to(tmp_path / "home")
    version = night.command(register)["version"]
    promoted = night.command(promote, version=version)
    assert (promoted["champion"], promoted["is_new"]) == (version, True)
    assert json.loads(night.run.promotion.read_text(encoding="utf-8")) == promoted
    assert night.command(promote, version=version)["is_new"] is False

    summary = night.command(evaluate)
    again = night.command(register)
    assert (summary["champion_in_force"], again["version"], again["is_new"]) == ("behavior", version, False)
    assert (again["verdict"], again["is_challenger"]) == ("promote", False)

    later_spec = night.pipeline.scenario.model_copy(
        update={"gate": night.pipeline.scenario.gate.model_copy(update={"wrong_promotions_per_year": 4.0})}
    )
    later = replace(night, pipeline=night.pipeline.model_copy(update={"scenario": later_spec}))
    summary = later.command(evaluate)
    assert summary["champion_in_force"] == summary["compared_with"] == str(version)
    figures = read_figures(later.run.evaluation)
    champion = [policy for policy in policy_reports(figures) if policy.role == "champion"]
    assert [policy.name for policy in champion] == [f"champion (version {version})"]
    assert summary["verdict"] == "reject"
    registered = later.command(register)
    assert (registered["version"], registered["champion_in_force"]) == (version + 1, str(version))
    skipped = later.command(promote, version=registered["version"])
    assert "verdict" in skipped["skipped"]
    with open_store(night.settings) as client:
        assert aliases(client, MODEL) == {"champion": version}


def test_implied_nights_are_registered_without_challenger(implied_night: NightHome, tmp_path: Path) -> None:
    """An abstaining night still has its entry, with the page that says why."""
    night = implied_night.copied_to(tmp_path / "home")
    result = night.command(register)
    assert (result["verdict"], result["is_challenger"]) == ("abstain", False)
    assert "This log has no logged decisions" in night.run.page.read_text(encoding="utf-8")
    with open_store(night.settings) as client:
        assert aliases(client, MODEL) == {}


def test_a_champion_of_another_source_is_said_and_not_compared(
    logged_night: NightHome, estimated_night: NightHome, simulated_night: NightHome, tmp_path: Path
) -> None:
    """The page says that the champion comes from another shop; the candidate is compared with the log instead."""
    home = tmp_path / "home"
    first = logged_night.copied_to(home)
    first.command(promote, version=first.command(register)["version"])
    other = simulated_night.copied_to(tmp_path / "other")
    (home / "runs" / "simulated_shop").parent.mkdir(exist_ok=True)
    (other.home / "runs" / "simulated_shop").rename(home / "runs" / "simulated_shop")
    (other.home / "lake" / "simulated_shop").rename(home / "lake" / "simulated_shop")
    night = NightHome(home, other.pipeline, other.run_date)
    summary = night.command(evaluate)
    figures = read_figures(night.run.evaluation)
    assert (summary["champion_in_force"], summary["compared_with"]) == ("1", "behavior")
    assert any("learned from source canonical, not simulated_shop" in note for note in notes_of(figures))
    assert {figures.role(policy) for policy in figures.policies} == {"behavior", "candidate"}


def test_the_first_version_has_no_history(registered: tuple[NightHome, dict[str, Any]]) -> None:
    """The registry was asked, and remembers nothing before."""
    night, _ = registered
    assert "this is the first version of this policy" in night.run.page.read_text(encoding="utf-8")


def test_a_version_registered_by_hand_is_told_after_the_night_s_own(logged_night: NightHome, tmp_path: Path) -> None:
    """As champion it is not compared with; the night has version, page and a finished run, and ends with an error."""
    night = logged_night.copied_to(tmp_path / "home")
    client = client_of(night)
    with open_store(night.settings):
        client.create_registered_model(MODEL)
        client.create_model_version(MODEL, source=str(tmp_path))
        client.set_registered_model_alias(MODEL, "champion", "1")
    summary = night.command(evaluate)
    assert (summary["champion_in_force"], summary["compared_with"]) == ("1", "behavior")
    with pytest.raises(RegistryChanged, match="alias champion is on version 1 and belongs on no version, since nobody"):
        night.command(register)
    result = json.loads(night.run.registration.read_text(encoding="utf-8"))
    assert result["version"] == 2
    assert client.get_run(result["run_id"]).info.status == "FINISHED"
    page = night.run.page.read_text(encoding="utf-8")
    assert "it was registered or edited by hand" in page
    assert "this is the first version of this policy" in page


def test_a_night_whose_run_is_gone_is_repeated(logged_night: NightHome, tmp_path: Path) -> None:
    """Its own evaluation stands in for the one that was deleted in MLflow, of the same policy alone."""
    night = logged_night.copied_to(tmp_path / "home")
    first = night.command(register)
    client_of(night).delete_run(first["run_id"])
    shutil.rmtree(night.home / "mlartifacts")
    again = night.command(register)
    assert (again["version"], again["verdict"], again["is_new"]) == (first["version"], first["verdict"], False)
    client_of(night).set_model_version_tag(MODEL, str(first["version"]), "nightcart.policy_version", "other")
    client_of(night).delete_run(client_of(night).get_model_version(MODEL, "1").run_id)
    with pytest.raises(RegistryError, match="is gone from MLflow's run"):
        night.command(register)


def test_other_code_that_learns_the_same_registers_nothing_anew(logged_night: NightHome, tmp_path: Path) -> None:
    """After an upgrade a past night keeps its version, run and verdict; another policy is another version."""
    night = logged_night.copied_to(tmp_path / "home")
    first = night.command(register)
    content = json.loads(night.run.evaluation.read_text(encoding="utf-8"))
    night.run.evaluation.write_text(json.dumps({**content, "code_hash": "d" * 16}), encoding="utf-8")
    again = night.command(register)
    assert (again["version"], again["run_id"], again["is_new"]) == (first["version"], first["run_id"], False)
    client = client_of(night)
    client.set_model_version_tag(MODEL, str(first["version"]), "nightcart.policy_version", "another")
    other = night.command(register)
    assert (other["version"], other["is_new"]) == (first["version"] + 1, True)


def test_a_night_repeated_by_other_code_is_its_own(logged_night: NightHome, tmp_path: Path) -> None:
    """Its version, be it champion, is no baseline of itself, and its look spends nothing twice."""
    night = logged_night.copied_to(tmp_path / "home")
    first = night.command(register)
    client_of(night).set_registered_model_alias(MODEL, "champion", str(first["version"]))
    figures = read_figures(night.run.evaluation)
    other = replace(night_key(figures), code_hash="d" * 16)
    elsewhere = replace(other, dataset_digest="e" * 32)
    settings = night.settings
    with open_store(settings) as client:
        assert find_looks(client, other, known_looks(settings)) == ()
        assert [look.version for look in find_looks(client, elsewhere, known_looks(settings))] == [first["version"]]
        dataset = load_dataset(night.pipeline, Lake(settings.lake, night.pipeline.source.name), night.run)
        features = list(dataset.transitions("test").observation)
        assert find_champion(client, other, features=features, vocabulary=dataset.vocabulary) is None
        later = find_champion(client, elsewhere, features=features, vocabulary=dataset.vocabulary)
    assert later is not None
    assert later.version.version == first["version"]


def test_the_version_of_exactly_these_inputs_comes_before_an_older_twin(
    logged_night: NightHome, tmp_path: Path
) -> None:
    """A home may hold the same policy twice, registered by two codes before that was told apart."""
    night = logged_night.copied_to(tmp_path / "home")
    night.command(register)
    client = client_of(night)
    key = night_key(read_figures(night.run.evaluation))
    policy = client.get_model_version(MODEL, "1").tags["nightcart.policy_version"]
    other = replace(key, code_hash="d" * 16)
    client.create_model_version(
        MODEL, source=client.get_model_version(MODEL, "1").source, tags={**other.tags, **_own_tags(client)}
    )
    assert key_of_same_policy(client, key, policy) == key
    assert key_of_same_policy(client, other, policy) == other
    assert key_of_same_policy(client, replace(key, code_hash="f" * 16), policy) == key


def _own_tags(client: MlflowClient) -> dict[str, str]:
    tags = client.get_model_version(MODEL, "1").tags
    return {name: tags[name] for name in ("nightcart.verdict", "nightcart.policy_version")}
