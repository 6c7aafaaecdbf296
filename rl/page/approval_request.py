"""What a person is shown who is asked to approve a version: a few lines in words, made of the night's figures."""

from __future__ import annotations

from conf.specs.strict_yaml import StrictModel
from rl.figures.night import NightFigures
from rl.figures.orders import OrderFigures
from rl.figures.values import GuardrailFigures, Spread
from rl.page.close_call_sentences import close_call_sentence
from rl.page.headline import headline_tiles
from rl.page.order_sentences import declared_rule_sentence, winner_sentence
from rl.page.review_content import review_content
from rl.page.second_look_sentences import passed_second_look
from rl.page.sentences import BEHAVIOR_NAME, guardrail_detail, policy_name
from rl.page.wording import chance, counted, share, signed, signed_range, signed_share


class ApprovalRequest(StrictModel):
    """A version in a few lines.

    Attributes:
        gain: in percent of today and in the reward's unit, with its interval.
        rests_on: how much of the log it rests on.
        guardrails: what became of each side metric that is limited.
        share_changed: share of the decisions that it makes differently from the log; None where it isn't known.
        changes: the same in words.
        close_call: that another seed could turn the verdict, in words; empty where it could not.
        second_look: that it passed by a second look at an earlier night's version, in words; empty where it didn't.
    """

    gain: str
    rests_on: str
    guardrails: tuple[str, ...]
    share_changed: float | None
    changes: str
    second_look: str = ""
    close_call: str = ""


def approval_request(figures: NightFigures) -> ApprovalRequest:
    """Return what a person is shown of the night's version."""
    gain, rests_on = _of_decisions(figures) if figures.orders is None else _of_orders(figures, figures.orders)
    changed = share_changed(figures)
    return ApprovalRequest(
        gain=gain,
        rests_on=rests_on,
        guardrails=tuple(_guardrail(one) for one in figures.guardrails),
        share_changed=None if changed is None else changed.value,
        changes="how many decisions change isn't known"
        if changed is None
        else f"{share(changed.value)} of the decisions ({share(changed.lower)} to {share(changed.upper)}) are other "
        "than the log's",
        second_look="" if figures.taken is None else passed_second_look(figures.taken),
        close_call=close_call_sentence(figures),
    )


def share_changed(figures: NightFigures) -> Spread | None:
    """Return the share of decisions that are other than the log's, decision by decision; None where it isn't known."""
    explanation = figures.explanation
    departures = None if explanation is None else explanation.departures
    return None if departures is None else departures.overall


def _of_decisions(figures: NightFigures) -> tuple[str, str]:
    """Return gain and basis in the words of the review page's first tiles."""
    tiles = {tile.name.partition(" over ")[0]: tile for tile in headline_tiles(review_content(figures))}
    basis = tiles["What it rests on"]
    rests_on = f"{basis.value}: {basis.note}"
    if "Gain" not in tiles or figures.gain is None:
        return "none was estimated", rests_on
    much, sure = tiles["Gain"], tiles["How sure"]
    return f"{much.value} ({much.note}); interval {sure.value} ({sure.note})", rests_on


def _of_orders(figures: NightFigures, orders: OrderFigures) -> tuple[str, str]:
    gain, unit = figures.gain, figures.facts.reward_unit
    tested = figures.fullest_report(figures.selected.name)
    rests_on = f"{counted(tested.n_units, 'product')}, led through the demand of days that were used to choose nothing"
    if orders.simulated_stock:
        rests_on += f". {orders.simulated_stock} {declared_rule_sentence(figures, orders)}"
    if gain is None or gain.value is None:
        return winner_sentence(figures, orders), rests_on
    today = policy_name(gain.baseline)
    today = "today's rule" if today == BEHAVIOR_NAME else today
    base = gain.baseline_value if gain.baseline_value is not None and gain.baseline_value > 0 else None
    percent = "" if base is None else f"{signed_share(gain.value / base)}, "
    bounds = [None if one is None or base is None else one / base for one in (gain.lower, gain.upper)]
    in_percent = "" if base is None else f"{signed_range(bounds[0], bounds[1], signed_share)}, "
    return (
        f"{percent}{signed(gain.value)} {unit} per product and week over {today}; interval {in_percent}"
        f"{signed_range(gain.lower, gain.upper)} {unit} (one that is no better passes with a chance of "
        f"{chance(1 - gain.level)} at most)"
    ), rests_on


def _guardrail(rail: GuardrailFigures) -> str:
    limit, movement = rail.max_relative_increase, "rise"
    if rail.max_relative_decrease is not None:
        limit, movement = rail.max_relative_decrease, "fall"
    kept = {True: "kept", False: "NOT kept", None: "can't be told"}[rail.is_kept]
    return (
        f"{rail.metric.replace('_', ' ')}: {kept}; {guardrail_detail(rail)} (allowed to {movement} by {share(limit)})"
    )
