"""Shows scenario specs that don't fit as an import error in the web page; the other scenarios' DAGs stay."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowException

from conf.settings import Settings
from dags.specs import read_pipelines

_, problems = read_pipelines(Settings.from_environment().source)
if problems:
    raise AirflowException("these scenarios have no DAGs until their specs fit:\n" + "\n".join(problems.values()))
