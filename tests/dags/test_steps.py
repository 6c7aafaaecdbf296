"""The operators, on commands that really run."""

from __future__ import annotations

import json
import queue
import signal
import threading
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from conf.settings import PROJECT_ROOT, Settings
from dags.pipeline_command import LearningCommand, pipeline_environment, without_unset
from dags.steps import CommandFailed, LearningStep, SparkStep, failure
from tests.dags.fake_pipeline import calls, write_fake_pipeline

WHERE = ["--source=simulated_shop", "--scenario=recommendation", "--date=2026-01-31"]


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline environment whose commands do as told."""
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "venv"))
    return write_fake_pipeline(tmp_path / "venv", fail={"evaluate": (1, "no split: 3 episodes; give more days")})


def test_learning_step_gives_the_commands_result(pipeline: Path) -> None:
    """The JSON object on the command's last line is the task's result, and so visible in the web page."""
    result = LearningStep(task_id="register", arguments=["register", *WHERE]).execute({})
    assert result["version"] == 3
    assert calls(pipeline)[0]["options"] == {
        "source": "simulated_shop",
        "scenario": "recommendation",
        "date": "2026-01-31",
    }


def test_learning_step_fails_in_the_commands_words(pipeline: Path) -> None:
    """The exception is the command's message and nothing else."""
    with pytest.raises(CommandFailed) as caught:
        LearningStep(task_id="evaluate", arguments=["evaluate", *WHERE]).execute({})
    assert str(caught.value) == "no split: 3 episodes; give more days"


def test_learning_step_skips_with_the_commands_reason(pipeline: Path) -> None:
    """A command that rightly does nothing says why in its result."""
    write_fake_pipeline(pipeline, skip={"promote": "verdict is reject"})
    with pytest.raises(AirflowSkipException, match=r"^verdict is reject$"):
        LearningStep(task_id="promote", arguments=["promote", *WHERE, "--version=3"]).execute({})


def test_learning_step_without_environment_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreter where the settings say: run the set-up."""
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "missing"))
    with pytest.raises(CommandFailed, match="no such file; run `make setup`"):
        LearningStep(task_id="prepare", arguments=["prepare"]).execute({})


def test_spark_step_submits_with_the_pipelines_spark(pipeline: Path) -> None:
    """spark-submit is the pipeline environment's, the master the connection's, the properties those for one machine."""
    step = SparkStep(task_id="ingest", arguments=["ingest", *WHERE, "--logs="])
    step.execute({})
    call = calls(pipeline)[0]
    options = dict(zip(call["words"][0::2], call["words"][1::2], strict=False))
    assert options["--master"] == "local[2]"
    assert options["--properties-file"] == str(PROJECT_ROOT / "conf" / "spark" / "local.conf")
    assert call["path"].startswith(str(pipeline / "bin"))
    assert call["pythonpath"] == str(PROJECT_ROOT)
    assert "logs" not in call["options"], "an option without value was handed on"


def test_the_connection_decides_where_a_spark_step_runs(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cluster with its own properties, and the job is told so, which would else start a session on this machine.

    Options of the deployment reach the driver's Java, which starts before the job reads them.
    """
    own = pipeline.parent / "own.conf"
    own.write_text("spark.driver.memory 6g\n")
    monkeypatch.setenv("NIGHTCART_SPARK_OPTIONS", str(own))
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps({"conn_type": "spark", "host": "spark://shop:7077"}))
    SparkStep(task_id="ingest", arguments=["ingest", *WHERE]).execute({})
    call = calls(pipeline)[0]
    options = dict(zip(call["words"][0::2], call["words"][1::2], strict=False))
    assert options["--master"] == "spark://shop:7077"
    assert options["--properties-file"] == str(PROJECT_ROOT / "conf" / "spark" / "cluster.conf")
    assert "spark.driver.memory=6g" in call["words"]
    assert call["spark_master"] == "spark://shop:7077"


def test_spark_step_fails_in_the_commands_words(pipeline: Path) -> None:
    """Neither spark-submit's command line nor Java's lines are in the message."""
    write_fake_pipeline(pipeline, fail={"build": (1, "sessions date=2026-01-31: not published;\nrun ingest")})
    with pytest.raises(CommandFailed) as caught:
        SparkStep(task_id="build", arguments=["build", *WHERE]).execute({})
    assert str(caught.value) == "sessions date=2026-01-31: not published;\nrun ingest"


def test_spark_step_skips_where_there_is_nothing_to_do(pipeline: Path) -> None:
    """Exit code 99 passes through spark-submit and means the same as for other commands."""
    write_fake_pipeline(pipeline, fail={"build": (99, "nothing to build")})
    with pytest.raises(AirflowSkipException, match="nothing to build"):
        SparkStep(task_id="build", arguments=["build", *WHERE]).execute({})


@pytest.mark.parametrize(
    ("return_code", "kind", "message"),
    [
        (99, AirflowSkipException, "rightly nothing to do"),
        (2, AirflowFailException, "rightly nothing to do"),
        (65, AirflowFailException, "rightly nothing to do"),
        (1, CommandFailed, "rightly nothing to do"),
        (-signal.SIGKILL, CommandFailed, "ended by SIGKILL"),
    ],
)
def test_failure_tells_a_skip_from_a_retry(return_code: int, kind: type[Exception], message: str) -> None:
    """Nothing to do is a skip, wrong arguments and data never come right, the rest is worth another try."""
    found = failure(return_code, ["rl promote: rightly nothing to do"])
    assert type(found) is kind
    assert message in str(found)
    assert isinstance(found, AirflowException)


def test_without_unset_leaves_out_options_without_value() -> None:
    """Only whole options are left out; a value that ends in an equals sign stays."""
    assert without_unset(["ingest", "--logs=", "--source=a", "--key=x="]) == ["ingest", "--source=a", "--key=x="]


def test_pipeline_environment_has_the_whole_spark(tmp_path: Path) -> None:
    """SPARK_HOME is the full pyspark of the pipeline's environment, not the client that Airflow brings."""
    spark = tmp_path / "lib" / "python3.11" / "site-packages" / "pyspark"
    (spark / "bin").mkdir(parents=True)
    (spark / "bin" / "spark-submit").touch()
    variables = pipeline_environment(Settings.from_environment({"NIGHTCART_PIPELINE_VENV": str(tmp_path)}))
    assert variables["SPARK_HOME"] == str(spark)
    assert variables["PYSPARK_PYTHON"] == str(tmp_path / "bin" / "python")


def test_learning_command_leaves_no_process_behind(tmp_path: Path) -> None:
    """Stopping a command stops its children too, so that a timed-out training frees the device."""
    said: queue.Queue[str] = queue.Queue()
    command = LearningCommand(["train"], _settings_with_a_sleeping_python(tmp_path), said.put)
    runner = threading.Thread(target=command.run)
    runner.start()
    child = int(said.get(timeout=30))
    command.stop()
    runner.join(30)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def _settings_with_a_sleeping_python(folder: Path) -> Settings:
    """A command that starts a child, tells its number and waits for it."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/bash\nsleep 600 &\necho $!\nwait\n")
    python.chmod(0o755)
    return Settings.from_environment({"NIGHTCART_PIPELINE_VENV": str(folder)})
