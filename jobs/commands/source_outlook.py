"""What could be learned from a log, by some of its lines: rewards that find a decision, empty features, verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from conf.earnings import earnings_sentence
from conf.event_types import ENGAGEMENT_TYPES, EVENT_TYPE_RANK
from conf.specs.reward import Reward, RewardTerm
from conf.specs.scenario import MILLIONTHS, Pipeline, Scenario
from conf.specs.source import Source

# What events must hold for a feature not to stay as it begins: types of events, and a field that one of them has.
_NEEDS: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "recent_engaged_items": (ENGAGEMENT_TYPES, "item_id"),
    "recent_engaged_categories": (ENGAGEMENT_TYPES, "category_id"),
    "n_session_clicks": (("click", "view"), None),
    "n_session_carts": (("cart", "favorite"), None),
    "n_session_purchases": (("purchase",), None),
    "n_engaged_in_a_row": (ENGAGEMENT_TYPES, None),
    "last_price_band": (ENGAGEMENT_TYPES, "price"),
    "n_past_clicks": (("click", "view"), None),
    "n_past_purchases": (("purchase",), None),
    "favorite_categories": (ENGAGEMENT_TYPES, "category_id"),
}
_LEAST_SHOPPERS = 5
_OF_DECISIONS = {"recent_shown_items": "item_id", "recent_shown_categories": "category_id"}


@dataclass(frozen=True)
class OutlookEvent:
    """An accepted event: its moment in microseconds, shopper, type, and the fields that it has."""

    time: int
    user_id: str | None
    event_type: str
    fields: Mapping[str, object]

    @property
    def order(self) -> tuple[int, int]:
        """Place in the total order, as far as the moment and the type tell."""
        return self.time, EVENT_TYPE_RANK[self.event_type]


@dataclass(frozen=True)
class ToldEvents:
    """Events with what items tell of them, as a build would fill it in.

    Attributes:
        rewarded: as decisions and rewards see them.
        observed: as features see them.
        n_lines: of items that were read; 0 where the scenario takes nothing from the table.
    """

    rewarded: list[OutlookEvent]
    observed: list[OutlookEvent]
    n_lines: int = 0


@dataclass(frozen=True)
class Attributable:
    """Reward of the lines looked at, and how much of it finds a decision among them, in millionths of the unit.

    Attributes:
        reward: of all events, and `found` of those that find a decision.
        n_events: which earn something.
        n_unnamed: of rewards by `decision_id`, the events that name none.
        n_without_money: further events that would earn money, and lack it.
        n_shoppers: of a part of the lines, those with decisions and rewards among them, who alone count in `reward` and
            `found`; None where all lines were looked at, or an event is its own decision.
    """

    reward: int
    found: int
    n_events: int
    n_unnamed: int
    n_without_money: int = 0
    n_shoppers: int | None = None

    @property
    def is_told(self) -> bool:
        """True where the lines tell about more than a few shoppers."""
        return self.n_shoppers is None or self.n_shoppers >= _LEAST_SHOPPERS

    @property
    def share(self) -> float | None:
        """Share of the reward that finds a decision; None where there is no reward, or too little to tell."""
        return self.found / self.reward if self.reward and self.is_told else None


def attributable(events: Sequence[OutlookEvent], pipeline: Pipeline, *, is_all: bool = True) -> Attributable:
    """Return how much of the reward finds a decision by the scenario's rule.

    Lines of two feeds that were looked at in part are mostly of different shoppers: a reward without its decision then
    says nothing, unless decisions of its shopper are among the lines.

    Args:
        events: of the lines that were looked at.
        pipeline: says which events are decisions, and what earns.
        is_all: whether these are all lines.
    """
    whole = _attributable(events, pipeline)
    if is_all or pipeline.scenario.reward.attribution.link == "itself":
        return whole
    both = _shoppers_of_both(events, pipeline)
    part = _attributable([event for event in events if event.user_id in both], pipeline)
    return replace(whole, reward=part.reward, found=part.found, n_shoppers=len(both))


def _shoppers_of_both(events: Sequence[OutlookEvent], pipeline: Pipeline) -> set[str]:
    decided = pipeline.source.decisions.event_type
    deciders = {event.user_id for event in events if event.event_type == decided}
    earners = {event.user_id for event in events if _weight(event, pipeline.scenario.reward)[0]}
    return {one for one in deciders & earners if one is not None}


def _attributable(events: Sequence[OutlookEvent], pipeline: Pipeline) -> Attributable:
    link = pipeline.scenario.reward.attribution
    latest: dict[tuple[object, ...], int] = {}
    decided = pipeline.source.decisions.event_type
    reward = found = n_events = n_unnamed = n_without_money = 0
    for event in sorted(events, key=lambda one: one.order):
        key = _link_key(event, pipeline)
        weight, lacks_money = _weight(event, pipeline.scenario.reward)
        n_without_money += lacks_money
        if weight:
            n_events, reward = n_events + 1, reward + weight
            at = latest.get(key) if key is not None else None
            if link.link == "itself":
                at = event.time if event.event_type == decided else None
            found += weight if at is not None and event.time - at <= link.window_hours * 3600 * MILLIONTHS else 0
            n_unnamed += link.link == "decision_id" and key is None
        if event.event_type == decided and key is not None:
            latest[key] = event.time
    return Attributable(reward, found, n_events, n_unnamed, n_without_money)


def _weight(event: OutlookEvent, reward: Reward) -> tuple[int, bool]:
    """Return what an event counts for, without its sign, and whether it lacks money that it would earn."""
    weight = abs(reward.weight_millionths.get(event.event_type, 0))
    terms = [term for term in reward.terms if term.event == event.event_type]
    lacks_money = any(not _has_money(event, term, reward) for term in terms if term.is_money)
    # Money of few lines says little: its events count alike.
    is_earning = any(not term.is_money or _has_money(event, term, reward) for term in terms)
    return (MILLIONTHS if is_earning else weight), lacks_money


def _has_money(event: OutlookEvent, term: RewardTerm, reward: Reward) -> bool:
    has_amount = "amount" in event.fields or {"price", "quantity"} <= event.fields.keys()
    needs_cost = term.value == "margin" and reward.margin_rate is None
    return has_amount and (not needs_cost or "cost" in event.fields)


def _link_key(event: OutlookEvent, pipeline: Pipeline) -> tuple[object, ...] | None:
    if pipeline.scenario.reward.attribution.link == "decision_id":
        name = event.fields.get("decision_id")
        return ("decision", name) if name is not None else None
    field = "category_id" if pipeline.scenario.action.key == "category" else "item_id"
    value = event.fields.get(field)
    return (event.user_id, value) if value is not None and event.user_id is not None else None


def empty_features(events: Sequence[OutlookEvent], scenario: Scenario, source: Source) -> list[str]:
    """Return the scenario's features that would be the same at every decision, as far as these events tell."""
    held = Counter((event.event_type, name) for event in events for name in (*event.fields, None))

    def is_empty(feature: str) -> bool:
        if feature in _OF_DECISIONS:
            return not held[source.decisions.event_type, _OF_DECISIONS[feature]]
        kinds, field = _NEEDS.get(feature, ((), None))
        return bool(kinds) and not any(held[kind, field] for kind in kinds)

    return [feature.name for feature in scenario.observation.features if is_empty(feature.name)]


def verdict_line(events: Sequence[OutlookEvent], source: Source) -> str:
    """Return which verdict is possible at all on a policy that is learned from such a log."""
    decided = [event for event in events if event.event_type == source.decisions.event_type]
    if source.decisions.kind == "implied":
        return "decisions are implied: no propensities, so the verdict on every policy is to abstain"
    if not decided:
        return f"no {source.decisions.event_type}, so no decision, among these lines: nothing could be learned"
    n_with = sum("propensity" in event.fields for event in decided)
    if n_with == len(decided):
        return "decisions with logged propensities: a policy can be promoted, where enough shoppers are there to tell"
    if n_with:
        return f"{len(decided) - n_with} of {len(decided)} decisions lack a propensity: theirs would be estimated"
    return "decisions without propensities: they are estimated, intervals are wider, and doubts about them abstain"


def outlook_lines(told: ToldEvents, source: Source, pipeline: Pipeline | None, *, is_all: bool = True) -> list[str]:
    """Return what could be learned, a line of text each; `is_all`: no line was left out."""
    lines = [verdict_line(told.rewarded, source)]
    if pipeline is not None:
        found = attributable(told.rewarded, pipeline, is_all=is_all)
        lines += [earnings_sentence(pipeline.scenario.reward), _reward_line(found, pipeline)]
        if found.n_without_money:
            lines.append(money_line(found, pipeline))
        if empty := empty_features(told.observed, pipeline.scenario, source):
            lines.append(f"features of {pipeline.scenario.name} that stay empty: {', '.join(empty)}")
    return lines


def outlook_result(
    told: ToldEvents, source: Source, pipeline: Pipeline | None, *, is_all: bool = True
) -> dict[str, object]:
    """Return the same for programs; share of reward and features only with a scenario."""
    result: dict[str, object] = {"verdict": verdict_line(told.rewarded, source)}
    if pipeline is not None:
        found = attributable(told.rewarded, pipeline, is_all=is_all)
        result["attributable_share"] = found.share
        result["events_without_money"] = found.n_without_money
        result["empty_features"] = empty_features(told.observed, pipeline.scenario, source)
    return result


def money_line(found: Attributable, pipeline: Pipeline) -> str:
    """Return how many events lack the money that the scenario counts, and what of it."""
    reward = pipeline.scenario.reward
    is_margin = reward.margin_rate is None and any(term.value == "margin" for term in reward.terms)
    table = ", and the table of items knows none" if reward.item_costs else ""
    lacks = (
        f"no amount (or price and quantity), or no cost{table}" if is_margin else "no amount (or price and quantity)"
    )
    return f"{found.n_without_money} events lack the money that {pipeline.scenario.name} counts: {lacks}"


def _reward_line(found: Attributable, pipeline: Pipeline) -> str:
    attribution, name = pipeline.scenario.reward.attribution, pipeline.scenario.name
    if found.n_events and not found.is_told:
        return (
            f"reward of {name}: which share finds a decision can't be told from these lines: {found.n_shoppers} "
            "shoppers have both a decision and a reward among them; look at more (LINES)"
        )
    if found.share is None:
        reward = pipeline.scenario.reward
        kinds = ", ".join(
            dict.fromkeys(
                [kind for kind, weight in reward.weights.items() if weight] + [one.event for one in reward.terms]
            )
        )
        return f"reward of {name}: none among these lines (no {kinds})"
    how = f"by {attribution.link} within {attribution.window_hours} hours"
    unnamed = f"; {found.n_unnamed} of its {found.n_events} events name no decision" if found.n_unnamed else ""
    whose = f", of {found.n_shoppers} shoppers with both there" if found.n_shoppers is not None else ""
    return f"reward of {name}: {found.share:.0%} finds a decision among these lines{whose}, {how}{unnamed}"
