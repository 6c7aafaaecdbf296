"""The picture of all launches, and the part of the review page that holds it."""

from __future__ import annotations

import pytest

from rl.page.launches_chart import launches_chart
from rl.page.render import render_page
from tests.rl.page.content_factory import review
from tests.rl.page.launches_factory import earned, launch, ledger, promised


def test_a_promise_that_was_kept_to_the_point_lies_on_the_diagonal() -> None:
    chart = launches_chart(ledger(launch(promised=promised(0.5), earned=earned(0.5))))
    assert chart is not None
    (mark,) = chart.marks
    assert mark.x == pytest.approx(100 - mark.y, abs=0.02)
    assert mark.left < mark.x < mark.right
    assert mark.high < mark.y < mark.low


def test_launches_without_one_of_both_are_in_the_table_alone() -> None:
    chart = launches_chart(ledger(launch(2, earned=None, refusal="it has decided nothing"), launch(3)))
    assert chart is not None
    assert [mark.launch.version for mark in chart.marks] == [3]
    assert launches_chart(ledger(launch(2, promised=None))) is None


def test_the_review_page_asks_whether_offline_numbers_predict() -> None:
    unknown = launch(4, promised=None, earned=None, refusal="nobody was <held> out")
    page = render_page(review(ledger=ledger(launch(2), launch(3, standing="broken"), unknown)))
    assert "2 launches earned 89% of what was promised" in page
    assert 'class="launch broken"' in page and "✕ broken" in page
    assert "nobody was &lt;held&gt; out" in page
    assert '<a href="#launches">' in page


@pytest.mark.parametrize("given", [None, ledger().model_copy(update={"launches": ()})])
def test_a_review_page_before_any_launch_asks_nothing(given: object) -> None:
    assert "Do our offline numbers predict?" not in render_page(review(ledger=given))
