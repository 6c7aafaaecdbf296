"""The curve of gain against spend, its tables, and the sentence that a reviewer reads first."""

from __future__ import annotations

from rl.page.spend_chart import spend_context
from tests.rl.page.content_factory import night
from tests.rl.page.spend_factory import point, rule, spend

NIGHT = night(reward_unit="EUR")


def test_the_curve_starts_at_nothing_and_marks_today() -> None:
    """From nothing spent and gained, in the order of what is spent, today's budget in its place among them."""
    figures = spend(points=(point(2.0, 2000, 400), point(1.0, 1000, 300)), rules=())
    chart = spend_context(figures, NIGHT)["spend_chart"]
    corners = [tuple(map(float, corner.split(","))) for corner in chart.line.split()]
    assert [x for x, _ in corners] == sorted(x for x, _ in corners)
    assert corners[0] == (0.0, chart.zero)
    assert chart.today == corners[1][0]
    assert [y for _, y in corners] == sorted((y for _, y in corners), reverse=True)
    assert len(chart.band.split()) == 5


def test_rules_stand_where_they_spend_and_gain() -> None:
    chart = spend_context(spend(rules=(rule("nobody", 0, 0), rule("mail to anybody", 960, 320))), NIGHT)["spend_chart"]
    nobody, mail = chart.spots
    assert (nobody.left, nobody.top) == (0.0, chart.zero)
    assert (nobody.name, mail.name) == ("Nobody gets anything", "mail to anybody")
    assert f"{mail.left:g},{mail.top:g}" in chart.line


def test_a_rule_far_off_does_not_stretch_the_axis() -> None:
    """It stands in the table alone."""
    found = spend_context(spend(rules=(rule("mail to anybody", 10, 90_000), rule("nobody", 0, 0))), NIGHT)
    assert [spot.name for spot in found["spend_chart"].spots] == ["Nobody gets anything"]
    assert len(found["spend_rules"]) == 2


def test_rows_say_budgets_with_their_bounds() -> None:
    found = spend_context(spend(), NIGHT)
    assert [row["share"] for row in found["spend_rows"]] == ["50.0%", "100%", "200%"]
    assert found["spend_rows"][1] == {
        "share": "100%",
        "budget": "1,000",
        "price": "0.300",
        "spend": "960",
        "gain": "+320",
        "bounds": "270 to 370",
        "step": "",
    }
    assert found["spend_rules"][1]["name"] == "The shop as it decided until now"
    assert found["spend_rules"][1]["ahead"] == "+100"


def test_the_sentence_says_what_today_half_and_twice_bring() -> None:
    said = spend_context(spend(), NIGHT)["spend_sentence"]
    first = "At today's budget of 1,000 EUR a week the candidate is expected to commit 960 on the weeks it is judged by"
    assert said.startswith(
        f"{first}, and to bring +320 EUR a week over sending nothing (+270 to +370); half the budget"
    )
    assert "half the budget +200 (+150 to +250) and twice the budget +380" in said
    assert "doesn't bind" not in said


def test_neighbouring_budgets_that_cannot_be_told_apart_are_said_so() -> None:
    """Paired, and only where the bounds hold 0; the first has nothing above it, and what spends alike gains alike."""
    points = (
        point(0.5, 480, 200),
        point(1.0, 960, 320, step=120, step_lower=60, step_upper=180),
        point(1.5, 1500, 350, step=30, step_lower=-20, step_upper=80),
        point(2.0, 1500, 350, step=0, step_lower=0, step_upper=0),
    )
    found = spend_context(spend(points=points), NIGHT)
    assert found["has_steps"]
    assert [row["step"] for row in found["spend_rows"]] == [
        "",
        "+120 (+60.0 to +180)",
        "+30.0 (\u221220.0 to +80.0): can't be told apart",
        "the same",
    ]
    assert not spend_context(spend(), NIGHT)["has_steps"]


def test_weeks_that_commit_another_sum_than_the_budget_are_said() -> None:
    """The price is that of earlier weeks: what is judged, and what a list keeps, are two sums."""
    said = spend_context(spend(points=(point(1.0, 1150, 300),)), NIGHT)["spend_sentence"]
    assert "That is 15.0% more than the budget, since its price was fixed on earlier weeks" in said
    assert "A list keeps its own week's budget" in said
    assert "than the budget" not in spend_context(spend(points=(point(1.0, 1040, 300),)), NIGHT)["spend_sentence"]


def test_a_rule_that_hardly_anybody_followed_has_no_gain() -> None:
    """Whatever was estimated of it: the row says why, and no dot stands on the curve."""
    refusal = "too few to tell: effectively 1.5 shoppers did as it says, of 30 needed"
    odd = rule("reminder to anybody", 35, 300).model_copy(update={"refusal": refusal})
    found = spend_context(spend(rules=(odd, rule("nobody", 0, 0))), NIGHT)
    assert found["spend_rules"][0] == {"name": "reminder to anybody", "spend": "35", "refusal": refusal}
    assert [spot.name for spot in found["spend_chart"].spots] == ["Nobody gets anything"]


def test_a_budget_that_does_not_bind_is_said() -> None:
    said = spend_context(spend(points=(point(1.0, 400, 300, price=0.0),)), NIGHT)["spend_sentence"]
    assert said.endswith("The budget doesn't bind: with more money the same would be sent.")


def test_without_points_there_is_nothing_to_draw() -> None:
    assert spend_context(None, NIGHT)["spend_chart"] is None
    assert spend_context(spend(points=(), rules=(), refusal="why"), NIGHT)["spend_chart"] is None
