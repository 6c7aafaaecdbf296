"""An alert: its stable name, what it is about, and why; the runbook has a section for each name."""

from __future__ import annotations

from dataclasses import dataclass

ALERTS = {
    "no_delivery": "a delivery isn't whole by its deadline",
    "delivery_held_back": "a delivery is held back",
    "failed_check": "a check of the data failed",
    "task_failed": "a task failed for good",
    "nothing_promotable": "no night has brought a promotable version for long",
    "approval_waiting": "a version waits for approval",
    "nothing_served": "nothing is served any more",
    "slow_night": "a night took longer than usual",
    "disk": "the disk fills up",
}
"""What each name means, in the first words of what is sent. The runbook has a section `Alert NAME` for each."""

RUNBOOK = "docs/operations.md"
_LONGEST_REASON = 4000


@dataclass(frozen=True)
class Alert:
    """Something that somebody should know.

    Attributes:
        name: a key of `ALERTS`.
        about: what it is about, such as `simulated_shop 2026-03-05`.
        reason: what was found, in lines; no personal data.
        key: of equal keys one is sent.
    """

    name: str
    about: str
    reason: str
    key: str

    def __post_init__(self) -> None:
        if self.name not in ALERTS:
            raise ValueError(f"{self.name!r} is no alert's name; expected one of {', '.join(ALERTS)}")

    @property
    def subject(self) -> str:
        """One line that says what happened to what."""
        return " ".join(f"nightcart: {ALERTS[self.name]}: {self.about}".split())

    @property
    def runbook(self) -> str:
        """Where cause and cure stand."""
        return f"{RUNBOOK}#alert-{self.name}"

    @property
    def text(self) -> str:
        """All of it, for people."""
        reason = self.reason.strip()
        cut = f"{reason[:_LONGEST_REASON]} …" if len(reason) > _LONGEST_REASON else reason
        return f"{self.subject}\n\n{cut}\n\nCause and cure: {self.runbook}\n"
