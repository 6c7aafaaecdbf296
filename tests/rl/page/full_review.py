"""A review page with every part."""

from __future__ import annotations

from typing import Any

from rl.page.content import ReviewContent
from tests.rl.page.content_factory import review
from tests.rl.page.evidence_factory import doubts, explanation, history, loggers, opinions, segments, support
from tests.rl.page.returns_factory import returns
from tests.rl.page.spend_factory import spend


def full_review(**overrides: Any) -> ReviewContent:
    """A page with every part."""
    content = {
        "segments": segments(),
        "explanation": explanation(),
        "support": support(),
        "history": history(),
        "doubts": doubts(),
        "hidden_reasons": "A hidden reason of 1.4 times the odds would be enough to undo the gain.",
        "unseen_losses": "The test episodes hold fewer of the candidate's losses than all episodes do.",
        "loggers": loggers(),
        "returns": returns(),
        "spend": spend(),
        "opinions": opinions(),
    }
    return review(**{**content, **overrides})
