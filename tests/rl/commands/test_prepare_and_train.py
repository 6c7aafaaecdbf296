"""The commands as they are run: arguments in, files and one JSON line out."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Lake, Run
from conf.settings import Settings
from conf.specs.problem import DiscountRate
from conf.specs.scenario import Pipeline, load_pipeline
from rl.commands import prepare, train
from rl.data.dataset import Dataset, load_dataset
from rl.data.discount_function import DiscountFunction
from rl.errors import TrainingError
from rl.learning.training import TrainingSettings
from rl.learning.training_run import TrainingRun
from rl.policy import load_policy
from tests.rl.factories import write_shop

CANDIDATE = "bc-1"


def briefly_trained(scenario: str, source: str) -> Pipeline:
    """The pipeline, with a tenth of its updates."""
    pipeline = load_pipeline(scenario, source)
    brief = tuple(one.model_copy(update={"n_updates": one.n_updates // 10}) for one in pipeline.scenario.candidates)
    return pipeline.model_copy(update={"scenario": pipeline.scenario.model_copy(update={"candidates": brief})})


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, dict[str, Any]]]:
    """A prepared and trained night: settings and the arguments of its commands."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path_factory.mktemp("home"))})
    pipeline = briefly_trained("recommendation", "simulated_shop")
    last = write_shop(Lake(settings.lake, "simulated_shop"), pipeline, n_episodes=90)
    arguments: dict[str, Any] = {"source": "simulated_shop", "scenario": "recommendation", "run_date": last}
    with pytest.MonkeyPatch.context() as patch:
        for command in (prepare, train):
            patch.setattr(command, "load_pipeline", briefly_trained)
        prepare.run(settings=settings, **arguments)
        train.run(settings=settings, **arguments, candidate=CANDIDATE)
        yield settings, arguments


def run_of(night: tuple[Settings, dict[str, Any]]) -> Run:
    settings, arguments = night
    return Run(settings.home, arguments["source"], arguments["scenario"], arguments["run_date"])


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_prepare_leaves_what_the_contract_names(night: tuple[Settings, dict[str, Any]]) -> None:
    """dataset.json has every promised key."""
    content = read(run_of(night).dataset / "dataset.json")
    promised = {
        "dataset_digest",
        "spec_hash",
        "key_id",
        "partitions",
        "vocabulary",
        "splits",
        "counts",
        "candidates",
        "counters",
    }
    assert promised <= set(content)
    assert content["candidates"] == ["bc-1", "bc-2", "discrete_cql-1", "discrete_cql-2"]
    assert len(content["partitions"]) == 14
    assert content["counters"]["n_decisions"] == content["counts"]["n_transitions"]
    assert {"start", "end", "lots", "n_episodes", "n_transitions"} == set(content["splits"]["test"])


def test_train_leaves_a_policy_that_decides_on_the_test_split(night: tuple[Settings, dict[str, Any]]) -> None:
    """The saved policy fits the dataset, and says which data it learned from."""
    settings, arguments = night
    run = run_of(night)
    policy = load_policy(run.candidate(CANDIDATE) / "policy")
    dataset = load_dataset(
        briefly_trained("recommendation", "simulated_shop"), Lake(settings.lake, arguments["source"]), run
    )
    episodes = dataset.to_logged_episodes("test")
    probabilities = policy.probabilities(episodes.features, episodes.mask())
    assert probabilities.shape == (episodes.n_transitions, 12)
    assert (probabilities[~episodes.mask()] == 0).all()
    assert policy.dataset_digest == dataset.digest
    assert policy.encoder.to_json() == dataset.encoder.to_json()


def test_train_that_fails_at_once_leaves_no_earlier_result(
    night: tuple[Settings, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where training is over, what has a result counts as trained tonight: a try that ended while reading hasn't."""
    settings, arguments = night
    path = run_of(night).candidate(CANDIDATE) / "result.json"
    before = path.read_text()

    def run_out(*_: object, **__: object) -> Dataset:
        raise MemoryError

    monkeypatch.setattr(train, "load_dataset", run_out)
    with pytest.raises(MemoryError):
        train.run(settings=settings, **arguments, candidate=CANDIDATE)
    is_left = path.exists()
    path.write_text(before)  # other tests read this night
    assert not is_left


def test_train_leaves_result_and_curve(night: tuple[Settings, dict[str, Any]]) -> None:
    """result.json names candidate, data and version; curve.jsonl has one object per logged point."""
    folder = run_of(night).candidate(CANDIDATE)
    result = read(folder / "result.json")
    assert result["candidate"] == CANDIDATE
    assert result["policy_version"] == load_policy(folder / "policy").version
    points = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    assert set(points[0]) == {"update", "seconds", "split", "metric", "value"}
    assert {point["split"] for point in points} == {"train", "validation"}
    assert result["final"]["validation/agreement"] == points[-1]["value"]


def test_train_lets_go_of_the_episodes(night: tuple[Settings, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Once updates begin, next observations of training and validation exist in the columns alone."""
    arrays: list[weakref.ref[Any]] = []
    alive: list[int] = []
    encode, finish = Dataset.to_logged_episodes, TrainingRun.finish

    def noting_encode(*given: Any) -> Any:
        episodes = encode(*given)
        arrays.append(weakref.ref(episodes.next_features))
        return episodes

    def noting_finish(*given: Any) -> None:
        gc.collect()
        alive.append(sum(array() is not None for array in arrays))
        finish(*given)

    monkeypatch.setattr(Dataset, "to_logged_episodes", noting_encode)
    monkeypatch.setattr(TrainingRun, "finish", noting_finish)
    settings, arguments = night
    train.run(settings=settings, **arguments, candidate=CANDIDATE)
    assert (len(arrays), alive) == (2, [0])


def test_train_from_files_gives_the_same_policy(night: tuple[Settings, dict[str, Any]]) -> None:
    """A split that is larger than training may hold is learned from date by date, to the same weights."""
    settings, arguments = night
    folder = run_of(night).candidate(CANDIDATE)
    before = read(folder / "result.json")
    again = train.run(settings=replace(settings, training_memory_bytes=1 << 20), **arguments, candidate=CANDIDATE)
    assert again["policy_version"] == before["policy_version"]
    assert again["final"] == before["final"]
    assert not (folder / "replay").exists()


def test_train_again_gives_the_same_policy(night: tuple[Settings, dict[str, Any]]) -> None:
    """A repeated step leaves the same version behind."""
    settings, arguments = night
    before = read(run_of(night).candidate(CANDIDATE) / "result.json")["policy_version"]
    again = train.run(settings=settings, **arguments, candidate=CANDIDATE)
    assert again["policy_version"] == before


def test_train_takes_the_threads_of_the_settings(
    night: tuple[Settings, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And takes up no checkpoint that another number of them wrote, since bits depend on it."""
    asked: list[TrainingSettings] = []

    def noting(*given: Any) -> None:
        asked.append(given[-1])
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train_candidate", noting)
    settings, arguments = night
    for n_threads in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            train.run(settings=replace(settings, training_threads=n_threads), **arguments, candidate=CANDIDATE)
    one, two = asked
    assert (one.n_threads, two.n_threads) == (1, 2)
    assert one.checkpoint is not None and two.checkpoint is not None
    assert one.checkpoint.identity != two.checkpoint.identity


def test_train_refuses_a_candidate_that_the_scenario_lacks(night: tuple[Settings, dict[str, Any]]) -> None:
    """Before any heavy work, with a suggestion."""
    settings, arguments = night
    with pytest.raises(TrainingError, match="no candidate 'bc-9'"):
        train.run(settings=settings, **arguments, candidate="bc-9")


def test_run_folder_is_of_source_scenario_and_date(night: tuple[Settings, dict[str, Any]]) -> None:
    """Nights don't overwrite each other."""
    assert run_of(night).folder.name == str(date(2026, 1, 18))
    assert (run_of(night).folder / "dataset" / "encoder.json").exists()


def test_train_learns_by_the_scenarios_clock(
    night: tuple[Settings, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scenario that discounts per day trains per day, on the same dataset."""
    settings, arguments = night
    given: list[DiscountFunction] = []

    def by_day(scenario: str, source: str) -> Pipeline:
        pipeline = briefly_trained(scenario, source)
        discount = DiscountRate(per="day", gamma=0.8)
        return pipeline.model_copy(update={"scenario": pipeline.scenario.model_copy(update={"discount": discount})})

    def noting_train(*parts: Any) -> Any:
        given.append(parts[-1].discount)
        raise TrainingError("noted")

    monkeypatch.setattr(train, "load_pipeline", by_day)
    monkeypatch.setattr(train, "train_candidate", noting_train)
    with pytest.raises(TrainingError, match="noted"):
        train.run(settings=settings, **arguments, candidate="discrete_cql-1")
    assert given == [DiscountFunction(0.8, "day")]
