"""How a person is asked, as a spec says it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from conf.specs.review import Review


@pytest.mark.parametrize(
    ("share", "expected"), [(0.2, 1), (0.3, 1), (0.31, 2), (None, 2)], ids=["below", "at", "above", "unknown"]
)
def test_two_people_are_asked_above_the_limit(share: float | None, expected: int) -> None:
    """And where nobody knows how many decisions change; at the limit one is enough."""
    assert Review(respondents=("ann", "bob"), second_person_above=0.3).n_people(share) == expected


@pytest.mark.parametrize("share", [0.0, 1.0, None])
def test_without_a_limit_one_person_is_enough(share: float | None) -> None:
    assert Review().n_people(share) == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"second_person_above": 0.3}, "name two respondents at least"),
        ({"second_person_above": 0.3, "respondents": ("ann",)}, "name two respondents at least"),
        ({"respondents": ("ann", "ann")}, "names somebody twice"),
        ({"respondents": ("ann:admin",)}, "should match pattern"),
        ({"days_to_answer": 0}, "greater than or equal to 1"),
    ],
)
def test_a_review_that_can_not_be_kept_is_refused(content: dict[str, Any], expected: str) -> None:
    """Two people have to be told apart, and a name can't give itself another role in Airflow."""
    with pytest.raises(ValidationError, match=expected):
        Review(**content)
