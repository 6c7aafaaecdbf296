"""The operators that run the pipeline's commands: Spark jobs by spark-submit, learning steps as processes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from conf.errors import FAILS_AGAIN
from conf.java_options import java_options
from conf.settings import PROJECT_ROOT, Settings
from conf.spark_properties import given_properties, properties_file
from dags.command_output import clear_message, result_of
from dags.pipeline_command import LearningCommand, pipeline_environment, without_unset
from dags.step_log import tell_closing, tell_opening

NOTHING_TO_DO = 99
WRONG_ARGUMENTS = 2


class CommandFailed(AirflowException):
    """A pipeline command failed; the message is the command's own."""


class SparkStep(SparkSubmitOperator):
    """A Spark job's command, submitted where the `spark_default` connection says."""

    def __init__(self, *, arguments: Sequence[str], **kwargs: Any) -> None:
        super().__init__(
            application=str(PROJECT_ROOT / "jobs" / "main.py"),
            application_args=list(arguments),
            conn_id="spark_default",
            name=f"nightcart-{kwargs['task_id']}",
            **kwargs,
        )

    def execute(self, context: Any) -> None:
        self.application_args = without_unset(self.application_args or [])
        tell_opening(self.application_args)
        hook = self._get_hook()
        master = str(hook._connection["master"])
        self.properties_file = str(properties_file(master))
        if not hook._is_yarn and not hook._is_kubernetes:
            # There the driver runs in an image with paths of its own; elsewhere it runs here, in this environment.
            settings = Settings.from_environment()
            # The connection decides where the job runs, not the variable that the job would read.
            self.env_vars = pipeline_environment(settings) | {"NIGHTCART_SPARK_MASTER": master}
            own = {"spark.driver.extraJavaOptions": java_options(settings.pipeline_venv)}
            self.conf = given_properties(settings) | own
        try:
            super().execute(context)
        except AirflowException as error:
            raise self._in_the_commands_words(error) from error
        except FileNotFoundError as error:
            raise CommandFailed("spark-submit isn't in the pipeline's environment; run `make setup`") from error
        said = list(self._hook._last_submit_log_lines) if self._hook else []
        tell_closing(self.application_args, result_of(said))

    def _in_the_commands_words(self, error: AirflowException) -> Exception:
        """Return the failure as the command told it; the provider's own message is a command line and a log."""
        process = self._hook._submit_sp if self._hook else None
        if self._hook is None or process is None or not process.returncode:
            return error
        return failure(process.returncode, list(self._hook._last_submit_log_lines))


class LearningStep(BaseOperator):
    """A learning command (`python -m rl COMMAND`), run as a process of the pipeline's environment.

    `candidate` names what a mapped step trains; arguments may refer to it as `{{ task.candidate }}`. A step that takes
    longer than its `execution_timeout`, or is still at work `ends_within` after its run began, is stopped for good:
    what was too slow once is too slow again.

    Attributes:
        night: source and scenario that the step works on, for whoever tells of how it went.
    """

    template_fields: Sequence[str] = ("arguments",)
    ui_color = "#e4eef0"

    def __init__(
        self,
        *,
        arguments: Sequence[str],
        candidate: str | None = None,
        night: tuple[str, str] | None = None,
        ends_within: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.arguments = list(arguments)
        self.candidate = candidate
        self.night = night
        self.ends_within = ends_within
        self._command: LearningCommand | None = None

    def execute(self, context: Any) -> dict[str, Any]:
        settings = Settings.from_environment()
        tell_opening(without_unset(self.arguments))
        seconds = self._seconds_left(context)
        self._command = LearningCommand(self.arguments, settings, lambda line: self.log.info("%s", line))
        self.log.info("%s", " ".join(self._command.line))
        try:
            with _stopped_after(seconds, self._command) as is_overdue:
                outcome = self._command.run()
        except FileNotFoundError as error:
            raise CommandFailed(f"{self._command.line[0]}: no such file; run `make setup`") from error
        except AirflowTaskTimeout as error:
            raise AirflowFailException(f"overdue: stopped after {self.execution_timeout}") from error
        if is_overdue():
            raise AirflowFailException(self._overdue())
        result = result_of(outcome.stdout)
        if outcome.return_code == NOTHING_TO_DO and "skipped" in result:
            raise AirflowSkipException(str(result["skipped"]))
        if outcome.return_code:
            raise failure(outcome.return_code, outcome.stderr or outcome.stdout)
        tell_closing(self.arguments, result)
        return result

    def _seconds_left(self, context: Any) -> float | None:
        """Return the seconds until the step is overdue in its run; None where nothing limits it.

        Raises:
            AirflowFailException: it is overdue already.
        """
        if self.ends_within is None:
            return None
        began = context["dag_run"].start_date
        left = (began + self.ends_within - datetime.now(tz=UTC)).total_seconds()
        if left <= 0:
            raise AirflowFailException(self._overdue())
        return float(left)

    def _overdue(self) -> str:
        return f"overdue: the run's trainings have to end within {self.ends_within}, so that the night ends in time"

    def on_kill(self) -> None:
        """Stop the command and its children."""
        if self._command is not None:
            self._command.stop()


@contextmanager
def _stopped_after(seconds: float | None, command: LearningCommand) -> Iterator[Callable[[], bool]]:
    """Stop the command once the seconds are over; yield a function that says whether that happened."""
    if seconds is None:
        yield lambda: False
        return
    over = threading.Event()

    def stop() -> None:
        over.set()
        command.stop()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield over.is_set
    finally:
        timer.cancel()


def failure(return_code: int, said: Sequence[str]) -> Exception:
    """Return what a command's return code means to Airflow: a skip, a failure for good, or one worth another try."""
    if return_code == NOTHING_TO_DO:
        return AirflowSkipException(clear_message(said))
    if return_code in {WRONG_ARGUMENTS, FAILS_AGAIN}:
        return AirflowFailException(clear_message(said))
    if return_code < 0:
        return CommandFailed(f"ended by {signal.Signals(-return_code).name}: out of memory, or stopped by someone")
    return CommandFailed(clear_message(said))
