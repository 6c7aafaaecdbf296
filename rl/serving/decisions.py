"""Requests become decisions: observed, chosen under the rules, and written as lines of the canonical log.

Everything but waiting for the disk: no network, no thread. Positions of a slate are decisions one after another at one
instant, each of which sees the earlier ones; so the log reads as what was decided.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Literal

import numpy as np

from conf.kernel.arrays import IntArray
from conf.kernel.told import Told
from conf.specs.scenario import Pipeline
from rl.errors import StoreError
from rl.policy import StochasticPolicy
from rl.policy.action_rules import ActionRules, Cap
from rl.policy.stochastic_policy import BoolArray, FeatureArray
from rl.rollout.assignment import gets_new_version, is_control
from rl.serving.decide import Chances, ChosenAction, Group, Offer, chances, drawn, fall_back, offer_of
from rl.serving.explored import Explored, choose_explored
from rl.serving.histories import NOTHING, FreshHistory, Histories, HistoryStore, fresh_history
from rl.serving.observation import Moment, ObservationMaker, SeenEvent
from rl.serving.shadow import ShadowChoice, ShadowLine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES = ("item_id", "category_id", "action")
_MOST_OFFERS = 1_000


@dataclass(frozen=True)
class PolicyInUse:
    """A policy in use.

    Attributes:
        policy: what decides.
        places: of its actions in its vocabulary.
        version: its number in the registry.
    """

    policy: StochasticPolicy
    places: dict[str, int]
    version: int

    @classmethod
    def of(cls, policy: StochasticPolicy, version: int) -> PolicyInUse:
        """Return the policy with an index of its actions."""
        return cls(policy, {key: place for place, key in enumerate(policy.vocabulary.keys)}, version)


@dataclass(frozen=True)
class SharedOut:
    """How shoppers are shared out between the policy in use and what it replaces, while it is rolled out.

    Attributes:
        share: of the shoppers who get the policy in use.
        incumbent: what decides for the others; None leaves them to the shop.
        policy_version: by which shares are drawn; empty takes that of the policy in use.
        is_shadow: whether the policy in use decides beside the others, and no shopper gets its decisions.
    """

    share: float
    incumbent: PolicyInUse | None
    policy_version: str = ""
    is_shadow: bool = False


OWN_RULE = SharedOut(0.0, None, "own rule")
"""No version decides and nobody's is the fallback: the shop decides for all, as it did before a first version."""

Arm = Literal["champion", "incumbent", "control"]


@dataclass(frozen=True)
class DecisionRequest:
    """One request for decisions.

    Attributes:
        shopper: pseudonym; of one who opted out a name made for this request alone.
        time_us: when it is decided, UTC microseconds.
        events: what the caller saw of the shopper.
        actions: natural keys of what is available.
        availability_id: of the set they are; None where they were listed.
        n_positions: decisions asked for, each of another action.
        is_opted_out: whether the shopper wants no decision made of what they did.
    """

    shopper: str
    time_us: int
    events: Sequence[SeenEvent]
    actions: Sequence[str]
    availability_id: str | None = None
    n_positions: int = 1
    is_opted_out: bool = False


@dataclass
class Decided:
    """What was decided for one request.

    Attributes:
        asked: the request.
        slate_id: names its decisions together.
        day: business day of the decisions.
        history: what was known of the shopper.
        arm: who decides for the shopper: `control` is held out from the champion, `incumbent` doesn't get it yet.
        uses_own: whether the shop's own decision holds, and nothing was decided here.
        share: of the shoppers who get the new version, where one is rolled out; None elsewhere.
        choices: by position; fewer than asked for where nothing was left to choose.
        unknown: those of the available actions that the policy doesn't know, which it never chooses; nothing where
            none was asked.
        shadow: what a version that no shopper gets yet would decide, by position.
    """

    asked: DecisionRequest
    slate_id: str
    day: date
    history: FreshHistory
    arm: Arm = "champion"
    uses_own: bool = False
    share: float | None = None
    choices: list[ChosenAction] = field(default_factory=list)
    unknown: tuple[str, ...] = ()
    shadow: list[ShadowChoice] = field(default_factory=list)

    @property
    def is_control(self) -> bool:
        """Whether the shopper is held out from the champion."""
        return self.arm == "control"

    def decision_id(self, position: int) -> str:
        """Return the id of the decision at a position; ids of a slate ascend with it."""
        return f"{self.slate_id}-{position:02d}"


class DecisionMaker:
    """Decides for one scenario on one source.

    Attributes:
        control: the policy that decides for the control group; None leaves it to the shop.
        shared_out: how the policy in use is rolled out; None lets it decide for all.
        explored: plan that shares of the champion's decisions follow; None where none does. It rests while a policy is
            rolled out, and ends by itself after its last day.
        categories: natural key of each item's category, for the log.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        key: bytes,
        store: HistoryStore,
        rules: ActionRules,
        max_age_days: int,
        generator: np.random.Generator | None = None,
        name_slate: Callable[[DecisionRequest], str] | None = None,
    ) -> None:
        """Take what doesn't change while the service runs.

        Args:
            pipeline: the scenario on the source.
            key: of the pseudonyms.
            store: of histories.
            rules: of the shop; those that the policy in use was learned under hold beside them.
            max_age_days: beyond which histories aren't used.
            generator: of the draws; None seeds one from the system.
            name_slate: returns the name of a request's slate, another for each; None makes one up.
        """
        self._pipeline, self._key, self._store, self._rules = pipeline, key, store, rules
        self._max_age_days = max_age_days
        self._generator = np.random.default_rng() if generator is None else generator
        self._shadow_generator = np.random.default_rng()
        self._name_slate = name_slate or (lambda _: secrets.token_hex(12))
        self._maker = ObservationMaker(pipeline)
        self._numbers = [one.name for one in pipeline.scenario.observation.features if one.length is None]
        self._offers: dict[tuple[str, str], Offer] = {}
        self._n_today: Counter[tuple[int, str, Cap]] = Counter()
        self._served: PolicyInUse | None = None
        self.control: PolicyInUse | None = None
        self.shared_out: SharedOut | None = None
        self.explored: Explored | None = None
        self._in_force = rules
        self.categories: Mapping[str, str | None] = {}

    @property
    def served(self) -> PolicyInUse | None:
        """The policy in use; None serves the fallback alone."""
        return self._served

    @served.setter
    def served(self, policy: PolicyInUse | None) -> None:
        self._served = policy
        self._in_force = self._rules_of(policy)

    @property
    def caps(self) -> tuple[Cap, ...]:
        """Caps that hold now, for whomever; what shoppers got towards others isn't counted."""
        incumbent = None if self.shared_out is None else self.shared_out.incumbent
        others = self._rules_of(self.control).caps + self._rules_of(incumbent).caps
        others += () if self.explored is None else self.explored.policy.rules.caps
        return tuple(dict.fromkeys(self._in_force.caps + others))

    def _rules_of(self, policy: PolicyInUse | None) -> ActionRules:
        return self._rules if policy is None else self._rules.joined(policy.policy.rules)

    def decide(self, requests: Sequence[DecisionRequest]) -> list[Decided]:
        """Return the decisions of the requests, in their order; they count towards the caps from now on."""
        incumbent = None if self.shared_out is None else self.shared_out.incumbent
        policies: dict[Arm, PolicyInUse | None] = {
            "champion": self.served,
            "incumbent": incumbent,
            "control": self.control,
        }
        decided = self._begun(requests)
        try:
            self._decide_all(decided, policies)
        except BaseException:
            self.forget(decided)
            raise
        return decided

    def _decide_all(self, decided: Sequence[Decided], policies: Mapping[Arm, PolicyInUse | None]) -> None:
        self._shadow_position([one for one in decided if one.uses_own], 0)
        for arm, policy in policies.items():
            open_ones = [one for one in decided if one.arm == arm and not one.uses_own]
            for position in range(max((one.asked.n_positions for one in open_ones), default=0)):
                here = [one for one in open_ones if position < one.asked.n_positions and len(one.choices) == position]
                if here:
                    self._shadow_position(here, position)
                    self._decide_position(here, position, policy)

    def forget(self, decided: Sequence[Decided]) -> None:
        """Take back what the decisions count towards the caps: they were never answered."""
        for one in decided:
            self._count(one, one.choices, -1)

    def lines(self, decided: Decided) -> list[str]:
        """Return the decisions as lines of the canonical log."""
        return [json.dumps(self.event(decided, position)) for position in range(len(decided.choices))]

    def shadow_lines(self, decided: Decided) -> list[ShadowLine]:
        """Return what a version that no shopper gets yet would have decided, as lines of the shadow's log."""
        version = "" if self._served is None else self._served.policy.version
        found = []
        for one in decided.shadow:
            is_answered = one.position < len(decided.choices)
            found.append(
                ShadowLine(
                    decision_id=decided.decision_id(one.position) if is_answered else decided.slate_id,
                    policy_version=version,
                    action=None if one.choice is None else one.choice.action,
                    propensity=None if one.choice is None else one.choice.propensity,
                    served=decided.choices[one.position].action if is_answered else None,
                    failure=one.failure,
                )
            )
        return found

    def event(self, decided: Decided, position: int) -> dict[str, object]:
        """Return one decision as an event of the canonical log, the shopper's pseudonym in it."""
        asked, choice = decided.asked, decided.choices[position]
        is_item = self._pipeline.scenario.action.key == "item"
        return {
            "event_id": decided.decision_id(position),
            "event_time": _iso(asked.time_us),
            "event_type": self._pipeline.source.decisions.event_type if self._pipeline.is_logged else "impression",
            "user_id": asked.shopper,
            "item_id": choice.action if is_item else None,
            "category_id": self.categories.get(choice.action) if is_item else choice.action,
            "decision_id": decided.decision_id(position),
            "slate_id": decided.slate_id,
            "position": position,
            "action": choice.action,
            "propensity": choice.propensity,
            "policy_version": choice.policy_version,
            "availability_id": asked.availability_id,
            "group": choice.group,
            **self._stage(decided),
        }

    def _stage(self, decided: Decided) -> dict[str, object]:
        """Return what the log says of a rollout: the share of the shoppers who get the new version at this decision."""
        is_shared_out = decided.share is not None and decided.arm != "control" and not decided.asked.is_opted_out
        return {"rollout_share": decided.share} if is_shared_out else {}

    def know_items(self, categories: Mapping[str, str | None], told: Told | None) -> None:
        """Take over what the shop's tables say of items: their categories now, for the log, and as told when."""
        self.categories = categories
        self._maker.items = told if self._pipeline.scenario.observation.item_categories else None

    def business_day(self, time_us: int) -> date:
        """Return the business day of a moment."""
        return _EPOCH.date() + timedelta(days=self._maker.business_day(time_us))

    def _begun(self, requests: Sequence[DecisionRequest]) -> list[Decided]:
        """Return the requests with what is known of their shoppers, nothing decided yet."""
        share = None if self.shared_out is None or self._served is None else self.shared_out.share
        known = self._histories([one.shopper for one in requests if not one.is_opted_out])
        place, found = 0, []
        for one in requests:
            day = self._maker.business_day(one.time_us)
            if one.is_opted_out:
                history = FreshHistory(NOTHING, "opted_out", None)
            else:
                history = fresh_history(known, place, day, self._max_age_days)
                place += 1
            arm: Arm = "champion" if one.is_opted_out else self._arm(one.shopper)
            own = (arm == "control" and self.control is None) or (arm == "incumbent" and self._leaves_incumbent)
            slate_id = self._name_slate(one)
            found.append(Decided(one, slate_id, _EPOCH.date() + timedelta(days=day), history, arm, own, share))
        return found

    def _arm(self, shopper: str) -> Arm:
        """Return who decides for a shopper.

        While nothing but the fallback is served, nothing is rolled out; but who stayed with the shop's own rule stays.
        """
        scenario = self._pipeline.scenario
        if is_control(shopper, self._key, scenario=scenario.name, share=scenario.exploration.control_holdout):
            return "control"
        shared, served = self.shared_out, self._served
        if shared is None or (served is None and not (self._leaves_incumbent and shared.policy_version)):
            return "champion"
        version = shared.policy_version if served is None else served.policy.version
        names = {"scenario": scenario.name, "policy_version": version}
        return "champion" if gets_new_version(shopper, self._key, share=shared.share, **names) else "incumbent"

    @property
    def _leaves_incumbent(self) -> bool:
        """Whether the shop itself decides for who doesn't get the new version yet."""
        return self.shared_out is not None and self.shared_out.incumbent is None

    def _histories(self, shoppers: Sequence[str]) -> Histories:
        """Return what the store holds; nothing where it can't be read."""
        try:
            return self._store.read(shoppers)
        except StoreError:
            return Histories(None, [None] * len(shoppers))

    def _decide_position(self, decided: Sequence[Decided], position: int, served: PolicyInUse | None) -> None:
        for together in self._together(decided):
            self._decide_together(together, position, served)

    def _together(self, decided: Sequence[Decided]) -> list[list[Decided]]:
        """Return the requests in groups that are decided at once: under caps, one request of a shopper in each."""
        groups: list[list[Decided]] = [[]]
        n_before: Counter[str] = Counter()
        has_caps = bool(self.caps)
        for one in decided:
            place = n_before[one.asked.shopper] if has_caps else 0
            n_before[one.asked.shopper] += 1
            if place == len(groups):
                groups.append([])
            groups[place].append(one)
        return groups

    def _decide_together(self, decided: Sequence[Decided], position: int, served: PolicyInUse | None) -> None:
        observation = self._maker.observe([self._moment(one, position) for one in decided])
        rules = self._in_force if served is self._served else self._rules_of(served)
        offers = [self._offer(one.asked, served) for one in decided]
        allowed = [
            self._allowed(one, offer, self._numbered(observation, row), rules)
            for row, (one, offer) in enumerate(zip(decided, offers, strict=True))
        ]
        choices = self._policy_choices(decided, served, observation, offers, allowed)
        for one, offer, leaves, choose_it in zip(decided, offers, allowed, choices, strict=True):
            choice = choose_it() or fall_back(offer, leaves, self._generator)
            if choice is not None:
                one.choices.append(choice)
                self._count(one, [choice], 1)

    def _policy_choices(
        self,
        decided: Sequence[Decided],
        served: PolicyInUse | None,
        observation: Mapping[str, IntArray],
        offers: Sequence[Offer],
        allowed: Sequence[BoolArray],
    ) -> list[Callable[[], ChosenAction | None]]:
        """Return what draws each request's decision of the policy, or None where the fallback decides.

        Probabilities are computed here, for all requests at once; draws come one after the other, in their order.
        """
        found: list[Callable[[], ChosenAction | None]] = [_nothing] * len(decided)
        if served is None:
            return found
        features, plan, plain = served.policy.encode(observation), self.explored, list[int]()
        for row, (one, offer) in enumerate(zip(decided, offers, strict=True)):
            if one.asked.is_opted_out:
                continue
            one.unknown = offer.unknown
            if plan is not None and self._is_explored(one, served, plan):
                here = {name: values[row : row + 1] for name, values in observation.items()}
                found[row] = partial(self._explored_choice, one, plan, served, features[row : row + 1], here)
            else:
                plain.append(row)
        known = chances(served.policy, features[plain], [offers[row] for row in plain], [allowed[row] for row in plain])
        for row, one_chances in zip(plain, known, strict=True):
            if one_chances is not None:
                found[row] = partial(self._plain_choice, decided[row], served, one_chances)
        return found

    def _plain_choice(self, one: Decided, served: PolicyInUse, known: Chances) -> ChosenAction:
        choice = drawn(served.policy, known, self._generator)
        return choice if one.arm == "champion" else replace(choice, group=one.arm)

    def _shadow_position(self, decided: Sequence[Decided], position: int) -> None:
        """Ask the policy in use what it would decide for shoppers who don't get it yet; no failure leaves here."""
        served, shared = self._served, self.shared_out
        if served is None or shared is None or not shared.is_shadow:
            return
        asked = [one for one in decided if one.arm == "incumbent" and not one.asked.is_opted_out]
        if not asked:
            return
        try:
            observation = self._maker.observe([self._moment(one, position) for one in asked])
            features = served.policy.encode(observation)
            offers = [self._offer(one.asked, served) for one in asked]
            allowed = [
                self._allowed(one, offer, self._numbered(observation, row), self._in_force)
                for row, (one, offer) in enumerate(zip(asked, offers, strict=True))
            ]
            known = chances(served.policy, features, offers, allowed)
            found = [
                ShadowChoice(position, None if one is None else drawn(served.policy, one, self._shadow_generator))
                for one in known
            ]
        except Exception as error:
            found = [ShadowChoice(position, None, type(error).__name__) for _ in asked]
        for one, would in zip(asked, found, strict=True):
            one.shadow.append(would)

    def _is_explored(self, one: Decided, served: PolicyInUse, plan: Explored) -> bool:
        """Return whether the plan is followed: beside the champion that serves all, up to the plan's last day."""
        is_champion = one.arm == "champion" and served is self._served and self.shared_out is None
        return is_champion and served.version == plan.plan.champion and not plan.is_over(one.day)

    def _explored_choice(
        self,
        one: Decided,
        plan: Explored,
        served: PolicyInUse,
        features: FeatureArray,
        observation: Mapping[str, IntArray],
    ) -> ChosenAction | None:
        """Return a decision of the champion and the plan's version together, under the rules of both."""
        offer = self._offer(one.asked, served)
        rules = self._rules_of(served).joined(plan.policy.rules)
        found = choose_explored(
            (served.policy, features),
            (plan.policy, plan.policy.encode(observation)),
            offers=(offer, offer_of(offer.keys, plan.places)),
            allowed=self._allowed(one, offer, self._numbered(observation, 0), rules),
            share=float(plan.shares(observation, 1)[0]),
            generator=self._generator,
        )
        if found is None:
            return None
        choice, is_explored = found
        group: Group = "exploration" if is_explored else "champion"
        return replace(choice, group=group, policy_version=plan.version_beside(served.policy))

    def _numbered(self, observation: Mapping[str, IntArray], row: int) -> dict[str, IntArray]:
        """Return what the rules may read of one observation."""
        return {name: observation[name][row : row + 1] for name in self._numbers}

    def _moment(self, decided: Decided, position: int) -> Moment:
        asked = decided.asked
        if asked.is_opted_out:
            return Moment(asked.time_us, decided.decision_id(position), (), NOTHING)
        earlier = [self._seen(decided, before) for before in range(position)]
        events = [*asked.events, *earlier]
        return Moment(asked.time_us, decided.decision_id(position), events, decided.history.known)

    def _seen(self, decided: Decided, position: int) -> SeenEvent:
        """Return an earlier position of the slate as the log will tell it."""
        event = self.event(decided, position)
        item, category, action = (None if event[name] is None else str(event[name]) for name in _NAMES)
        return SeenEvent(
            self._pipeline.source.decisions.event_type,
            decided.asked.time_us,
            decided.decision_id(position),
            item,
            category,
            action,
        )

    def _offer(self, asked: DecisionRequest, served: PolicyInUse | None) -> Offer:
        """Return the available actions; those of a set are looked up once for a policy."""
        places = {} if served is None else served.places
        if asked.availability_id is None:
            return offer_of(asked.actions, places)
        name = (asked.availability_id, "" if served is None else served.policy.version)
        if name not in self._offers:
            if len(self._offers) >= _MOST_OFFERS:
                self._offers.clear()
            self._offers[name] = offer_of(asked.actions, places)
        return self._offers[name]

    def _allowed(
        self, decided: Decided, offer: Offer, observation: Mapping[str, IntArray], rules: ActionRules
    ) -> BoolArray:
        """Return what the rules leave, without what stands in the slate already, `(n_keys,)`."""
        position, day, shopper = len(decided.choices), decided.day.toordinal(), decided.asked.shopper
        n_today = np.array([[self._n_today[day, shopper, cap] for cap in rules.caps]], dtype=np.int64)
        seen = observation or {"": np.zeros(1, dtype=np.int64)}
        taken = frozenset(choice.action for choice in decided.choices)
        allowed: BoolArray = rules.allowed(offer.keys, seen, position=position, taken=taken, n_today=n_today)[0]
        return allowed

    def _count(self, decided: Decided, choices: Sequence[ChosenAction], by: int) -> None:
        self.count_event(decided.day, decided.asked.shopper, [choice.action for choice in choices], by)

    def count_event(
        self, day: date, shopper: str, actions: Sequence[str], by: int = 1, *, caps: Sequence[Cap] | None = None
    ) -> None:
        """Count actions that a shopper got on a business day towards caps, or take them back.

        Args:
            day: business day.
            shopper: pseudonym.
            actions: natural keys.
            by: 1, or -1 to take them back.
            caps: towards which; None for all that hold now.
        """
        for cap in self.caps if caps is None else caps:
            if n := sum(action in cap.actions for action in actions):
                self._n_today[day.toordinal(), shopper, cap] += by * n

    def forget_days_before(self, day: date) -> None:
        """Drop what was counted on earlier business days."""
        for name in [one for one in self._n_today if one[0] < day.toordinal()]:
            del self._n_today[name]


def _nothing() -> None:
    """Draw no decision of a policy."""


def _iso(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")
