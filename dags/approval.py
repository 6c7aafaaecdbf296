"""The task that asks a person, and where one isn't enough another one: approve or reject, with a comment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLBranchOperator
from airflow.sdk import Param
from airflow.sdk.execution_time.hitl import HITLUser

from dags.rejected_version import skip_if_rejected

APPROVE, REJECT = ApprovalOperator.APPROVE, ApprovalOperator.REJECT
ANSWER = "answer"
NO_COMMENT = "no comment"


class Approval(HITLBranchOperator):
    """Asks whether the registered version becomes champion; what is chosen says which task comes next.

    No answer in time counts as Reject. Who answered what, and why, is kept as the task's XCom `answer`. Where it comes
    after another approval, it asks somebody else than who gave that one, and passes by itself if one person is enough.

    Attributes:
        first: id of the approval before it; None where it is the first one.
        approved: task that comes next where the answer is Approve.
    """

    def __init__(
        self, *, respondents: Sequence[str], days_to_answer: int, approved: str, first: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(
            options=[APPROVE, REJECT],
            options_mapping={APPROVE: approved, REJECT: "reject"},
            defaults=REJECT,
            assigned_users=[HITLUser(id=name, name=name) for name in respondents] or None,
            response_timeout=timedelta(days=days_to_answer),
            retries=0,
            **kwargs,
        )
        self.first = first
        self.approved = approved
        self.days_to_answer = days_to_answer

    def execute(self, context: Any) -> Any:
        """Ask, or pass on to what comes next where another approval before it is enough.

        Raises:
            AirflowSkipException: the version was rejected meanwhile; there is nothing to ask.
        """
        found = context["ti"].xcom_pull(task_ids="read_registration")
        skip_if_rejected(found["model"], found["version"])
        if self.first is not None:
            if found["n_people"] < 2:
                self.log.info("one person is enough for this version")
                return self.do_branch(context, self.approved)
            said = context["ti"].xcom_pull(task_ids=self.first, key=ANSWER)["who"]
            self.assigned_users = [user for user in self.assigned_users or [] if user["id"] != said]
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Keep the answer, and go on with the task that it chooses."""
        if "error" not in event:
            # Before anything else: where the choice skips a task, Airflow ends this one by an exception.
            context["ti"].xcom_push(key=ANSWER, value=answer_of(event, self.days_to_answer))
        return super().execute_complete(context, event)


def comment_field() -> dict[str, Param]:
    """Return the form's field for a comment: the `params` of an approval."""
    told = "Why; it is kept with the decision, on the version and in the record of approvals."
    return {
        "comment": Param("", type="string", title="Comment", format="multiline", maxLength=2000, description=told),
    }


def answer_of(event: Mapping[str, Any], days_to_answer: int) -> dict[str, str]:
    """Return who answered and why, and whether nobody did in time (`overdue`, empty where somebody did)."""
    user = event.get("responded_by_user")
    if user is None:
        return {"who": "nobody", "why": f"no answer in {days_to_answer} days", "overdue": "--overdue"}
    comment = str((event.get("params_input") or {}).get("comment") or "").strip()
    return {"who": str(user["name"] or user["id"]), "why": comment or NO_COMMENT, "overdue": ""}


def last_answer(instance: Any) -> dict[str, str]:
    """Return the last answer that a run's approvals got; a macro of templates.

    Args:
        instance: Airflow's task instance, `ti` in templates.
    """
    for task_id in ("approve_second", "approve"):
        if answer := instance.xcom_pull(task_ids=task_id, key=ANSWER):
            found: dict[str, str] = answer
            return found
    return {"who": "", "why": "", "overdue": ""}
