"""What a person is told of a failure, by the callbacks that Airflow calls."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from conf.paths import Run, failures_log
from dags.failures import failures_of, tell_run, tell_task
from dags.ingest_events import ingest_events
from dags.scenario_dags import NIGHT_ENDS_WITHIN, TRAINING_ENDS_WITHIN
from dags.specs import read_pipelines
from dags.steps import LearningStep

NIGHT = ("simulated_shop", "recommendation")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    return tmp_path


def context(
    task: str, error: BaseException | None, *, candidate: str | None = None, key: str | None = "2026-01-31"
) -> Any:
    run = SimpleNamespace(partition_key=key, conf={}, run_id="asset__1", dag_id="train_recommendation")
    step = LearningStep(task_id=task, arguments=[task], candidate=candidate, night=NIGHT)
    instance = SimpleNamespace(dag_id="train_recommendation", task_id=task, task=step)
    return {"ti": instance, "dag_run": run, "exception": error}


def test_a_failed_task_says_which_night_and_why(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One line, in the command's words; it stays in the home."""
    with caplog.at_level(logging.ERROR):
        tell_task(context("evaluate", AirflowFailException("no split: 3 episodes; give more days")))
    assert caplog.messages == ["train_recommendation 2026-01-31: evaluate failed: no split: 3 episodes; give more days"]
    assert failures_of(failures_log(home), "train_recommendation", "asset__1") == {
        "evaluate": "no split: 3 episodes; give more days"
    }


def test_a_failed_run_says_which_tasks_and_why(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The last reason of each, and none of another run's."""
    tell_task(context("train", AirflowFailException("stopped"), candidate="bc-1"))
    tell_task(context("train", AirflowFailException("loss is not finite"), candidate="bc-1"))
    tell_task(context("evaluate", AirflowFailException("no candidate was trained")))
    other = context("prepare", AirflowFailException("of another run"))
    other["dag_run"].run_id = "asset__2"
    tell_task(other)
    with caplog.at_level(logging.ERROR):
        tell_run(context("evaluate", None))
    assert caplog.messages[-1] == (
        "train_recommendation 2026-01-31 failed: train bc-1: loss is not finite; evaluate: no candidate was trained"
    )


def test_a_run_that_was_stopped_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """No task told anything: the deadline of the run, or a person."""
    with caplog.at_level(logging.ERROR):
        tell_run(context("evaluate", None))
    assert caplog.messages == ["train_recommendation 2026-01-31 failed: no task said why (was it stopped?)"]


def test_a_run_without_a_date_is_named_by_its_id(caplog: pytest.LogCaptureFixture) -> None:
    """That it has none is why it failed, and mustn't keep that from being told."""
    with caplog.at_level(logging.ERROR):
        tell_task(context("evaluate", AirflowFailException("this run has no date"), key=None))
    assert caplog.messages == ["train_recommendation asset__1: evaluate failed: this run has no date"]


def test_a_candidates_reason_is_kept_beside_it(home: Path) -> None:
    """Evaluation names the candidate that is left out with that reason."""
    tell_task(context("train", AirflowFailException("overdue: stopped after 6:00:00"), candidate="bc-1"))
    source, scenario = NIGHT
    path = Run(home, source, scenario, date(2026, 1, 31)).candidate("bc-1") / "failure.json"
    assert json.loads(path.read_text()) == {"reason": "overdue: stopped after 6:00:00"}


def test_every_task_and_dag_tells_of_its_failure() -> None:
    """None is forgotten; the tasks' reasons come after Airflow's traceback, which callbacks do."""
    from dags import scenario_dags  # noqa: PLC0415

    made = [ingest_events(), *(found for found in vars(scenario_dags).values() if isinstance(found, DAG))]
    assert len(made) >= 1 + 3 * len(read_pipelines("simulated_shop")[0])
    for dag in made:
        assert dag.on_failure_callback
        for task in dag.tasks:
            told = task.partial_kwargs if task.is_mapped else vars(task)
            for kind in ("on_failure_callback", "on_retry_callback"):
                callbacks = told[kind]
                assert tell_task in (callbacks if isinstance(callbacks, list | tuple) else [callbacks]), (task, kind)


def test_trainings_end_before_the_night_has_to() -> None:
    """Evaluation (three hours) and registration (one) still fit behind the last training."""
    assert TRAINING_ENDS_WITHIN + timedelta(hours=4) <= NIGHT_ENDS_WITHIN < timedelta(days=1)


def test_an_overdue_step_does_not_start() -> None:
    """Its run began too long ago; it is for good, since a repeat would begin even later."""
    step = LearningStep(task_id="train", arguments=["train"], candidate="bc-1", ends_within=timedelta(hours=12))
    began = datetime.now(tz=UTC) - timedelta(hours=13)
    with pytest.raises(AirflowFailException, match=r"^overdue: the run's trainings have to end within 12:00:00"):
        step.execute({"dag_run": SimpleNamespace(start_date=began)})


def test_a_step_that_becomes_overdue_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command and its children are gone, and it isn't tried again."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    python.chmod(0o755)
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "venv"))
    step = LearningStep(task_id="train", arguments=["train"], ends_within=timedelta(seconds=0.5))
    with pytest.raises(AirflowFailException, match=r"^overdue: "):
        step.execute({"dag_run": SimpleNamespace(start_date=datetime.now(tz=UTC))})
    assert step._command is not None
    assert step._command._process is not None
    assert step._command._process.poll() is not None
