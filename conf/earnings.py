"""What a decision earns, in one sentence for people: on pages, and wherever a spec is explained."""

from __future__ import annotations

from conf.specs.reward import Reward, RewardTerm

_LINKS = {
    "decision_id": "that name it",
    "last_touch": "on what it was the latest to show",
    "last_decision": "until the shopper's next one",
    "itself": "that are the decision itself",
}
_HOURS_A_DAY = 24


def earnings_sentence(reward: Reward) -> str:
    """Return what a decision earns: events by number and in money, which of them, until when, and less what."""
    attribution = reward.attribution
    counted = [f"{weight:g} for each {kind}" for kind, weight in reward.weights.items() if weight]
    counted += [f"{term.weight:g} for each {term.event}" for term in reward.terms if not term.is_money]
    parts = [f"{_joined(counted)} (in {reward.unit})"] if counted else []
    parts += [_money(term, reward) for term in reward.terms if term.is_money]
    within = f" within {_span(attribution.window_hours)}" if attribution.link != "itself" else ""
    off = ["refunds"] if any(term.is_money for term in reward.terms) else []
    off += ["what the decision itself cost"] if reward.action_cost is not None else []
    taken_off = f"; {_joined(off)} {'are' if off[0] == 'refunds' else 'is'} taken off" if off else ""
    return f"A decision earns {_joined(parts)}, of events {_LINKS[attribution.link]}{within}{taken_off}."


def _money(term: RewardTerm, reward: Reward) -> str:
    what = {"revenue": "what shoppers paid", "margin": "the margin"}[term.value]
    if term.value == "margin" and reward.margin_rate is not None:
        what = f"{reward.margin_rate:.4g} of what shoppers paid"
    times = f"{term.weight:g} times " if term.weight != 1 else ""
    return f"{times}{what} for each {term.event} ({reward.unit})"


def _span(hours: int) -> str:
    if hours % _HOURS_A_DAY == 0:
        days = hours // _HOURS_A_DAY
        return f"{days} days" if days > 1 else "a day"
    return f"{hours} hours" if hours > 1 else "an hour"


def _joined(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
