"""What a person is asked to approve: a version, its verdict and gain, and the page that explains it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from conf.paths import Run
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from dags.deployment.served_pages import page_address
from dags.rejected_version import skip_if_rejected
from dags.run_date import run_date

APPROVAL_SUBJECT = (
    "Promote {{ ti.xcom_pull(task_ids='read_registration')['model'] }} version "
    "{{ ti.xcom_pull(task_ids='read_registration')['version'] }} to champion?"
)
APPROVAL_BODY = """
{% set found = ti.xcom_pull(task_ids='read_registration') %}\
**{{ found['model'] }}, version {{ found['version'] }}** passed the gate for {{ run_date(dag_run) }}. \
[Read the review page]({{ found['page_url'] }}) before you answer.

| | |
| --- | --- |
| verdict | {{ found['verdict'] }} |
{% if found['request'].get('second_look') %}| passed by | {{ found['request']['second_look'] }} |
{% endif %}\
{% if found['request'].get('close_call') %}| take care | {{ found['request']['close_call'] }} |
{% endif %}\
| gain | {{ found['request']['gain'] }} |
| rests on | {{ found['request']['rests_on'] }} |
| changes | {{ found['request']['changes'] }} |
{% for guardrail in found['request']['guardrails'] %}| guardrail | {{ guardrail }} |
{% endfor %}
{% for reason in found['reasons'] %}* {{ reason }}
{% endfor %}
{% if found['n_people'] > 1 %}**Two people have to approve it**, since it changes so many decisions.

{% endif %}\
**Approve** moves the alias `champion` to this version{% if found['n_people'] > 1 %} once both have{% endif %}; if the \
champion has changed since the gate, promotion refuses (gate again). **Reject**, or no answer in time, leaves the \
champion as it is, and nothing approves this version any more. What you write as comment is kept with the decision.

The page is also `{{ found['page'] }}`, and an artifact of run `{{ found['run_id'] }}` in MLflow.
"""
_UNTOLD: dict[str, Any] = {"gain": "on the page", "rests_on": "on the page", "changes": "not known", "guardrails": []}


def read_registration(dag_run: Any, scenario: str) -> dict[str, Any]:
    """Return the version registered for the run's date, with all that a person is shown of it.

    `page_url` is where Airflow serves the page, `n_people` how many people have to approve the version.

    Raises:
        AirflowSkipException: the gate's verdict isn't promote, nothing was learned, or the version was rejected before:
            there is nothing to approve.
        AirflowException: nothing is registered for the date, or the record of decisions can't be read.
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
    skip_if_rejected(registration["model"], registration["version"])
    request: dict[str, Any] = registration.get("request") or _UNTOLD  # an earlier release didn't say
    review = load_pipeline(scenario, settings.source).scenario.review
    return {
        **registration,
        "version": str(registration["version"]),
        "page": str(run.page),
        "page_url": page_address(conf.get("api", "base_url", fallback=""), run),
        "request": request,
        "n_people": review.n_people(request.get("share_changed")),
    }
