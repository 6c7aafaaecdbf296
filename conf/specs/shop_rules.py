"""What a shop allows a policy to choose, as strict models: masks before any choice, by natural keys."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from conf.observation_features import OBSERVATION_FEATURES, is_count
from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel, suggest

Actions = tuple[str, ...]


class BlockRule(StrictModel):
    """Actions that are never chosen."""

    actions: Actions = Field(
        min_length=1, description="Lists natural keys of actions that are never chosen.", examples=[["item-7"]]
    )


class PinRule(StrictModel):
    """An action that is the only one at some positions."""

    action: str = Field(
        min_length=1,
        description="Names the action that is the only one at the positions, wherever it may be chosen there.",
        examples=["item-9"],
    )
    positions: tuple[int, ...] = Field(
        default=(0,), min_length=1, description="Lists places in the slate, from 0.", examples=[[0]]
    )


class EligibilityRule(StrictModel):
    """Actions that only some shoppers may get."""

    actions: Actions = Field(
        min_length=1,
        description="Lists natural keys of actions that only some shoppers may get.",
        examples=[["item-3"]],
    )
    feature: str = Field(
        description="Names the feature of the observation, a count, that says which shoppers; an hour, a day of the "
        "week or an attribute is none.",
        examples=["n_past_purchases"],
    )
    at_least: int | None = Field(
        default=None, description="Asks for this value or more; left out, nothing bounds it below.", examples=[1]
    )
    at_most: int | None = Field(
        default=None, description="Asks for this value or less; left out, nothing bounds it above.", examples=[10]
    )

    @model_validator(mode="after")
    def _is_a_bounded_number(self) -> Self:
        if not is_count(self.feature):
            counts = [name for name in OBSERVATION_FEATURES if is_count(name)]
            raise ValueError(
                f"{self.feature!r} is no count: who is eligible is said by a number of which more is more, so not by "
                f"hours, weekdays, lists or attributes{suggest(self.feature, counts)}; allowed where observed: "
                f"{', '.join(counts)}, and windows such as n_purchases_28d"
            )
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both: without, the rule says nothing")
        return self


class CapRule(StrictModel):
    """Actions of which a shopper gets no more than so many a day."""

    actions: Actions = Field(
        min_length=1,
        description="Lists natural keys of actions that are counted together.",
        examples=[["item-1", "item-2"]],
    )
    per_shopper_day: int = Field(
        ge=1, description="Bounds how many of them a shopper is served on one business day.", examples=[3]
    )


class ShopRules(GrownModel):
    """A shop's rules; each only ever takes actions away."""

    block: tuple[BlockRule, ...] = Field(
        default=(), description="Lists actions that are never chosen.", examples=[[{"actions": ["item-7"]}]]
    )
    pin: tuple[PinRule, ...] = Field(
        default=(),
        description="Lists actions that are the only ones at some positions; of two at one position the first counts.",
        examples=[[{"action": "item-9", "positions": [0]}]],
    )
    eligibility: tuple[EligibilityRule, ...] = Field(
        default=(),
        max_length=40,
        description="Lists actions that only some shoppers may get; all of the rules must hold.",
        examples=[[{"actions": ["item-3"], "feature": "n_past_purchases", "at_least": 1}]],
    )
    caps: tuple[CapRule, ...] = Field(
        default=(),
        description="Lists actions of which a shopper gets no more than so many a day.",
        examples=[[{"actions": ["item-1"], "per_shopper_day": 3}]],
    )

    not_yet_known: Actions = Field(
        default=(),
        description="Lists those of the rules' actions that nothing knows yet: neither the log, nor the shop's tables, "
        "nor the champion. Any other action that nothing knows is refused as misspelt.",
        examples=[["item-7"]],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"not_yet_known"})

    @model_validator(mode="after")
    def _names_what_is_not_yet_known(self) -> Self:
        named = [action for _, action in self.named_actions()]
        if idle := [action for action in self.not_yet_known if action not in named]:
            hints = "; ".join(f"{action!r}{suggest(action, named)}" for action in idle)
            raise ValueError(f"not_yet_known lists what no rule names: {hints}")
        return self

    def named_actions(self) -> list[tuple[str, str]]:
        """Return each action that a rule names, after the key where it stands, such as `block.0.actions`."""
        lists: dict[str, tuple[BlockRule | EligibilityRule | CapRule, ...]] = {
            "block": self.block,
            "eligibility": self.eligibility,
            "caps": self.caps,
        }
        found = [
            (f"{kind}.{place}.actions", action)
            for kind, rules in lists.items()
            for place, rule in enumerate(rules)
            for action in rule.actions
        ]
        return found + [(f"pin.{place}.action", rule.action) for place, rule in enumerate(self.pin)]

    def unobserved(self, observed: list[str]) -> list[str]:
        """Return what is wrong with rules that ask for features outside of the observed ones, each with its key."""
        return [
            f"eligibility.{place}.feature: the scenario doesn't observe {rule.feature!r}"
            f"{suggest(rule.feature, observed)}"
            for place, rule in enumerate(self.eligibility)
            if rule.feature not in observed
        ]
