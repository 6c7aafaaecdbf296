"""What a person is asked to approve: a version, its verdict, and the page that explains it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from conf.paths import Run
from conf.settings import Settings
from dags.run_date import run_date

APPROVAL_BODY = """
**{{ ti.xcom_pull(task_ids='read_registration')['model'] }}, version \
{{ ti.xcom_pull(task_ids='read_registration')['version'] }}** passed the gate for {{ run_date(dag_run) }}.

{% for reason in ti.xcom_pull(task_ids='read_registration')['reasons'] %}* {{ reason }}
{% endfor %}
Read the review page before you answer: `{{ ti.xcom_pull(task_ids='read_registration')['page'] }}` (also an artifact of
run `{{ ti.xcom_pull(task_ids='read_registration')['run_id'] }}` in MLflow).

**Approve** moves the alias `champion` to this version; if the champion has changed since the gate, promotion refuses
(gate again). **Reject**, or no answer in time, leaves the champion as it is.
"""


def read_registration(dag_run: Any, scenario: str) -> dict[str, Any]:
    """Return the version registered for the run's date, with verdict, reasons and page.

    Raises:
        AirflowSkipException: the gate's verdict isn't promote, or nothing was learned: there is nothing to approve.
        AirflowException: nothing is registered for the date.
    """
    settings = Settings.from_environment()
    run = Run(settings.home, settings.source, scenario, date.fromisoformat(run_date(dag_run)))
    if run.nothing_to_learn.exists():
        raise AirflowSkipException(str(json.loads(run.nothing_to_learn.read_text(encoding="utf-8"))["skipped"]))
    try:
        registration: dict[str, Any] = json.loads(run.registration.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AirflowException(f"{run.registration}: no such file; run train_{scenario} for {run.date}") from error
    if registration["verdict"] != "promote":
        reasons = "; ".join(str(reason) for reason in registration["reasons"])
        raise AirflowSkipException(
            f"{registration['model']} version {registration['version']}: verdict {registration['verdict']} ({reasons})"
        )
    return {**registration, "version": str(registration["version"]), "page": str(run.page)}
