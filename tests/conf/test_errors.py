"""What kinds of errors mean to whoever may repeat a command."""

from __future__ import annotations

import pytest

from conf.errors import NightcartError, PublicationError, SettingError, SpecError, exit_code
from jobs.errors import CheckError, DeliveryError, PublishError
from rl.errors import DatasetError, EvaluationError, RegistryError, TrainingError

FINAL = (
    NightcartError,
    SpecError,
    SettingError,
    DeliveryError,
    CheckError,
    DatasetError,
    TrainingError,
    EvaluationError,
)
PASSING = (PublicationError, PublishError, RegistryError, OSError, ConnectionError, RuntimeError)


@pytest.mark.parametrize("kind", FINAL)
def test_exit_code_of_data_and_specs_says_that_it_fails_again(kind: type[Exception]) -> None:
    """Nothing about them changes by repeating the command."""
    assert exit_code(kind("so")) == 65


@pytest.mark.parametrize("kind", PASSING)
def test_exit_code_of_outages_says_that_they_may_pass(kind: type[Exception]) -> None:
    """A disk, a network, MLflow, and what nobody foresaw."""
    assert exit_code(kind("so")) == 1
