"""What a decision earns is said in one sentence, from the spec alone."""

from __future__ import annotations

from typing import Any

import pytest

from conf.earnings import earnings_sentence
from conf.specs.reward import Reward

BY_ID = {"link": "decision_id", "window_hours": 12}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"unit": "points", "weights": {"click": 1, "cart": 0, "purchase": 10}, "attribution": BY_ID},
            "A decision earns 1 for each click and 10 for each purchase (in points), of events that name it within 12 "
            "hours.",
        ),
        (
            {
                "unit": "EUR",
                "weights": {"click": 1, "cart": 0},
                "terms": [
                    {"event": "purchase", "value": "revenue"},
                    {"event": "refund", "value": "count", "weight": -0.5},
                ],
                "attribution": {"link": "last_touch", "window_hours": 24},
            },
            "A decision earns 1 for each click and -0.5 for each refund (in EUR) and what shoppers paid for each "
            "purchase (EUR), of events on what it was the latest to show within a day; refunds are taken off.",
        ),
        (
            {
                "unit": "EUR",
                "terms": [{"event": "purchase", "value": "margin", "weight": 2}],
                "margin_rate": 0.3,
                "action_cost": {"declared": {"mail": 0.1}, "otherwise": 0},
                "attribution": {"link": "decision_id", "window_hours": 72},
            },
            "A decision earns 2 times 0.3 of what shoppers paid for each purchase (EUR), of events that name it within "
            "3 days; refunds and what the decision itself cost are taken off.",
        ),
        (
            {
                "unit": "visits",
                "weights": {"view": 1},
                "action_cost": {"logged": True},
                "attribution": {"link": "itself", "window_hours": 1},
            },
            "A decision earns 1 for each view (in visits), of events that are the decision itself; what the decision "
            "itself cost is taken off.",
        ),
    ],
)
def test_everything_that_counts_is_said(content: dict[str, Any], expected: str) -> None:
    """Points that an override left beside money are seen; a weight of 0 earns nothing."""
    assert earnings_sentence(Reward.model_validate(content)) == expected
