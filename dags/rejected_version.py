"""Whether somebody has rejected a version already, as the home's record of decisions says: nobody is asked twice."""

from __future__ import annotations

import json
from datetime import datetime

from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from conf.paths import approvals_record
from conf.settings import Settings


def skip_if_rejected(model: str, version: str) -> None:
    """Skip the task where the version was rejected before; the first word stands, however often a night is repeated.

    Raises:
        AirflowSkipException: says who rejected it, when and why.
        AirflowException: the record can't be read.
    """
    settings = Settings.from_environment()
    path = approvals_record(settings.home)
    try:
        said = next(
            (
                f"{one['who']}, {datetime.fromisoformat(one['at']):%Y-%m-%d %H:%M}: {one['why']}"
                for one in json.loads(path.read_text(encoding="utf-8"))
                if (one["registry"], one["model"], one["kind"]) == (settings.registry_name, model, "reject")
                and str(one["version"]) == str(version)
            ),
            None,
        )
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError) as error:
        raise AirflowException(
            f"{path}: not what this home wrote of who approved what ({error}); put it back, then clear this task"
        ) from error
    if said is not None:
        raise AirflowSkipException(
            f"{model} version {version} was rejected ({said}) and stays so: nobody is asked again; a later night "
            "registers another version"
        )
