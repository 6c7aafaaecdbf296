"""What is to be learned from a shop's log, as strict models of a YAML file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from conf.errors import SpecError
from conf.event_types import EventType
from conf.observation_features import feature_named
from conf.specs.budget import Budget, Eligibility
from conf.specs.candidate import Candidate as Candidate  # noqa: PLC0414  (re-exported for mypy: it is part of a scenario)
from conf.specs.delivery import Clock
from conf.specs.judging import Evaluation, Exploration, Gate, PolicySpec
from conf.specs.key_kinds import DATA, LEARNING, OPERATION
from conf.specs.later_keys import GrownModel
from conf.specs.monitor import Monitor
from conf.specs.ordering_fit import ordering_problem
from conf.specs.orders import Orders, orders_problem, replayed_metrics
from conf.specs.pipeline_fit import misfits
from conf.specs.problem import Action, DiscountRate, Episode, Observation, Ordering, Splits, Week
from conf.specs.review import Review
from conf.specs.reward import MILLIONTHS as MILLIONTHS  # noqa: PLC0414  (re-exported for mypy, as is the reward)
from conf.specs.reward import EventMetric
from conf.specs.reward import Reward as Reward  # noqa: PLC0414
from conf.specs.rollout import Rollout
from conf.specs.shop_rules import ShopRules
from conf.specs.source import SOURCES_FOLDER, Source, load_source, source_names
from conf.specs.strict_yaml import StrictModel, merge, parse_model, pointer, read_yaml, suggest

SCENARIOS_FOLDER = Path(__file__).parent.parent / "scenarios"
MAX_QUARANTINED_SHARE = 0.01
MONEY_WINDOWS = ("spend", "discounts", "n_redeemed")
HOURS_PER_DAY = 24

WHOLE_KEYS = (("reward", "weights"), ("reward", "action_cost", "declared"))
"""Mappings that an override replaces whole: what events earn, or actions cost, is one answer."""

HOURS_PER_WEEK = 7 * HOURS_PER_DAY


class Scenario(GrownModel):
    """One of the jobs: decisions, what they see, what they earn, how a policy is learned, judged and promoted."""

    reference: ClassVar[str] = "docs/reference-scenarios.md"

    name: str = Field(
        json_schema_extra=DATA,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Names the scenario, in lower-case letters, digits and underscores; its models are "
        "`<name>-policy`.",
        examples=["recommendation"],
    )
    title: str = Field(
        json_schema_extra=LEARNING,
        description="Says in a few words what is decided, for pages and DAGs.",
        examples=["What to show next in a session"],
    )
    owner: str = Field(
        json_schema_extra=LEARNING,
        description="Names who answers for the scenario's DAGs.",
        examples=["recommendation"],
    )
    clock: Clock = Field(
        json_schema_extra=DATA,
        description="Says what a step of an episode is: a decision of a session (`session_step`), of a shopper's week "
        "(`shopper_week`), whose reward is what the shopper brought until the next one, or of a product's day or week "
        "(`sku_day`), whose reward is what the product brought until the next count.",
        examples=["session_step"],
    )
    week: Week | None = Field(
        json_schema_extra=DATA,
        default=None,
        description="Says when weeks start, and how many are an episode; it is given with `clock: shopper_week`, and "
        "only then.",
        examples=[{"weekday": "monday", "hour": 6, "weeks": 4}],
    )
    ordering: Ordering | None = Field(
        json_schema_extra=DATA,
        default=None,
        description="Says when products are decided on, how many of these periods are an episode, and what the log "
        "says of orders on their way; it is given with `clock: sku_day`, and only then.",
        examples=[{"every": "day", "hour": 4, "periods": 28, "lead_days": 3}],
    )
    episode: Episode = Field(json_schema_extra=DATA, description="Bounds the episodes.", examples=[{"max_steps": 40}])
    observation: Observation = Field(
        json_schema_extra=DATA,
        description="Says what is known at a decision.",
        examples=[{"history_days": 7, "features": [{"name": "session_step"}]}],
    )
    action: Action = Field(
        json_schema_extra=LEARNING,
        description="Says what a decision chooses.",
        examples=[{"key": "item", "mask": "availability", "max_actions": 500}],
    )
    reward: Reward = Field(
        json_schema_extra=DATA,
        description="Says what a decision earns.",
        examples=[
            {
                "unit": "points",
                "weights": {"click": 1, "purchase": 10},
                "attribution": {"link": "decision_id", "window_hours": 12},
            }
        ],
    )
    metrics: dict[str, EventType | EventMetric] = Field(
        json_schema_extra=DATA,
        default_factory=dict,
        description="Names side metrics, each the number of attributed events of a type, their money or their pieces, "
        "or what became of a product's stock; guardrails may limit them.",
        examples=[{"clicks": "click", "discounts": {"event": "purchase", "value": "discount"}}],
    )
    discount: DiscountRate = Field(
        json_schema_extra=LEARNING,
        description="Says how much less a later reward counts.",
        examples=[{"per": "step", "gamma": 0.95}],
    )
    max_quarantined_share: float = Field(
        json_schema_extra=OPERATION,
        default=MAX_QUARANTINED_SHARE,
        ge=0,
        le=1,
        description="Builds nothing while more than this share of a date's decisions can't be used (without an action, "
        "outside their availability set, of an unknown set, of no shopper); up to it, their episodes are set aside "
        "whole and counted. Where it is above 0, one or two decisions may exceed it, if they are less than a fifth "
        "of the date's.",
        examples=[0.05],
    )
    train_on_unsettled: bool = Field(
        json_schema_extra=LEARNING,
        default=False,
        description="Learns also from the last steps of training episodes whose attribution window was still open, "
        "where it is true.",
        examples=[True],
    )
    splits: Splits = Field(
        json_schema_extra=LEARNING,
        description="Divides the log's time into training, validation and test.",
        examples=[{"train": 0.6, "validation": 0.15, "test": 0.25}],
    )
    candidates: tuple[Candidate, ...] = Field(
        json_schema_extra=LEARNING,
        default=(),
        description="Lists the algorithms that are trained every night, each once per seed; it is left out with "
        "`orders`, and only then.",
        examples=[[{"algorithm": "discrete_cql", "seeds": [1, 2], "n_updates": 3000}]],
    )
    policy: PolicySpec = Field(
        json_schema_extra=LEARNING,
        default=PolicySpec(temperatures=(1.0,), exploration_floor=0.1),
        description="Says how a stochastic policy is made of what a network learned; it is left out with `orders`, and "
        "only then.",
        examples=[{"temperatures": [0.3, 1.0, 2.0], "exploration_floor": 0.1}],
    )
    evaluation: Evaluation = Field(
        json_schema_extra=LEARNING,
        description="Says how a policy's value is estimated from the log.",
        examples=[{"estimator": "dr", "steps": 40}],
    )
    gate: Gate = Field(
        json_schema_extra=LEARNING,
        description="Says when a candidate may be promoted.",
        examples=[{"wrong_promotions_per_year": 4, "min_effective_sample_size": 200, "min_effective_rewarded": 100}],
    )
    exploration: Exploration = Field(
        json_schema_extra=LEARNING,
        default=Exploration(floor=0.1),
        description="Says what a service keeps for exploration and for comparison; it is left out with `orders`, and "
        "only then.",
        examples=[{"floor": 0.1}],
    )
    orders: Orders | None = Field(
        json_schema_extra=LEARNING,
        default=None,
        description="Says which ways to order are fitted and judged by replay, and what every order has to keep; it is "
        "for `clock: sku_day`, decided every day.",
        examples=[{"candidates": [{"algorithm": "base_stock"}, {"algorithm": "reorder_point"}]}],
    )
    budget: Budget | None = Field(
        json_schema_extra=LEARNING,
        default=None,
        description="Says what a week's decisions may commit together, with `clock: shopper_week`, and only there: "
        "what is judged, registered and decided by is then the policy at the price that the budget sets on money.",
        examples=[{"weekly": 1500, "committed": "offers"}],
    )
    eligibility: Eligibility | None = Field(
        json_schema_extra=OPERATION,
        default=None,
        description="Says who may get an offer in a week's list; it is needed for lists, with `clock: shopper_week`.",
        examples=[{"active_days": 5, "available": "everyone", "unavailable": "blocked"}],
    )
    rules: ShopRules | None = Field(
        json_schema_extra=LEARNING,
        default=None,
        description="Says what may never be chosen, by whom and how often: learned, judged and served under, and "
        "carried by every version that is registered.",
        examples=[{"block": [{"actions": ["item-7"]}]}],
    )
    monitor: Monitor = Field(
        json_schema_extra=OPERATION,
        default=Monitor(),
        description="Says how what is served is watched; see [monitoring](monitoring.md).",
        examples=[{"on_broken_promise": "alert", "false_alarms_a_year": 0.5}],
    )
    approval: Literal["human", "auto"] = Field(
        json_schema_extra=OPERATION,
        description="Says who promotes a version that passed the gate: a person, or the pipeline itself.",
        examples=["human"],
    )
    review: Review = Field(
        json_schema_extra=OPERATION,
        default=Review(),
        description="Says who may approve a version, when it takes two people, and how long an answer is waited for.",
        examples=[{"respondents": ["ann", "bob"], "second_person_above": 0.3}],
    )

    rollout: Rollout | None = Field(
        json_schema_extra=OPERATION,
        default=None,
        description="Lets a promotion grow from a share of the shoppers to all, by evidence, or retreat; left out, a "
        "promoted version decides for all at once. It is for `clock: session_step`.",
        examples=[{"stages": [0.05, 0.25, 0.5, 1.0], "margin": 0.05}],
    )
    sources: tuple[str, ...] | None = Field(
        json_schema_extra=OPERATION,
        default=None,
        min_length=1,
        description="Lists the sources that the scenario is for; left out, it is for every source whose decisions its "
        "clock makes.",
        examples=[["simulated_shop"]],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "max_quarantined_share",
            "week",
            "ordering",
            "sources",
            "budget",
            "eligibility",
            "rules",
            "orders",
            "monitor",
            "review",
            "rollout",
        }
    )

    @model_validator(mode="after")
    def _weeks_of_their_clock(self) -> Self:
        if (self.clock == "shopper_week") != (self.week is not None):
            raise ValueError("give week with clock: shopper_week, and only then")
        return self

    @model_validator(mode="after")
    def _orders_of_their_clock(self) -> Self:
        if problem := ordering_problem(self):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _orders_or_candidates(self) -> Self:
        if problem := orders_problem(self):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _second_looks_at_policies_alone(self) -> Self:
        """Return the scenario; raise where a second look would need prices or orders frozen, which none is."""
        given = [name for name in ("budget", "orders") if getattr(self, name) is not None]
        if self.gate.second_look_days and given:
            raise ValueError(
                f"gate.second_look_days: no second look is taken with {' and '.join(given)}; write 0, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _own_steps_of_timed_episodes(self) -> Self:
        if self.evaluation.after_cut == "nothing" and self.clock != "shopper_week":
            raise ValueError(
                "evaluation.after_cut: nothing is for episodes that time alone ends (clock: shopper_week); others end "
                "as shoppers leave, and how many steps are left says what will happen"
            )
        return self

    @model_validator(mode="after")
    def _budget_of_its_clock(self) -> Self:
        """Return the scenario; raise where its clock has no budget, or the budget asks for what nobody observes."""
        given = [name for name in ("budget", "eligibility") if getattr(self, name) is not None]
        if given and self.clock != "shopper_week":
            raise ValueError(
                f"{' and '.join(given)}: {self.clock} decides one by one, and a budget is of all decisions of a week "
                "together; leave it out, or write clock: shopper_week"
            )
        observed = [feature.name for feature in self.observation.features]
        caps = () if self.budget is None else self.budget.caps
        if missing := [cap.feature for cap in caps if cap.feature not in observed]:
            raise ValueError(
                f"budget.caps are read off {', '.join(missing)}, which observation.features lacks; add "
                f"{'it' if len(missing) == 1 else 'them'}, or leave the caps out"
            )
        return self

    @model_validator(mode="after")
    def _paced_by_its_weeks(self) -> Self:
        """Return the scenario; raise where a period of its budget starts on a day on which no week does."""
        pacing = None if self.budget is None else self.budget.pacing
        if pacing is None or self.week is None:
            return self
        if (found := pacing.starts.strftime("%A").lower()) != self.week.weekday:
            raise ValueError(
                f"budget.pacing.starts ({pacing.starts}) is a {found}, and weeks start on each {self.week.weekday}; "
                "name a day on which one starts"
            )
        return self

    @model_validator(mode="after")
    def _eligibility_fits(self) -> Self:
        """Return the scenario; raise where eligibility looks back too far, or names sets that nothing asks for."""
        eligibility = self.eligibility
        if eligibility is None:
            return self
        if eligibility.active_days > self.observation.history_days:
            raise ValueError(
                f"eligibility.active_days ({eligibility.active_days}) looks back further than "
                f"observation.history_days ({self.observation.history_days}); raise history_days"
            )
        n_sets = sum(one is not None for one in (eligibility.available, eligibility.unavailable))
        if n_sets != (2 if self.action.mask == "availability" else 0):
            raise ValueError(
                "give eligibility.available and eligibility.unavailable, both, with action.mask: availability, and "
                "only then"
            )
        return self

    @model_validator(mode="after")
    def _rules_fit(self) -> Self:
        """Return the scenario; raise where its rules ask for what nobody observes, or for what its clock has not."""
        rules = self.rules
        if rules is None:
            return self
        problems = rules.unobserved([feature.name for feature in self.observation.features])
        if self.clock == "sku_day":
            problems.append("orders have no rules of actions (clock: sku_day); leave them out")
        elif self.clock != "session_step" and (rules.pin or rules.caps):
            problems.append("pin and caps are of slates and days of requests (clock: session_step); leave them out")
        if problems:
            raise ValueError("rules: " + "; ".join(problems))
        return self

    @model_validator(mode="after")
    def _rollout_of_requests(self) -> Self:
        if self.rollout is not None and self.clock != "session_step":
            raise ValueError(
                f"rollout shares out requests of shoppers (clock: session_step), and {self.clock} decides by lists; "
                "leave it out"
            )
        return self

    @model_validator(mode="after")
    def _one_exploration_floor(self) -> Self:
        """Return the scenario; raise where its two exploration floors differ."""
        if self.exploration.floor != self.policy.exploration_floor:
            raise ValueError(
                f"exploration.floor is {self.exploration.floor:g} and policy.exploration_floor "
                f"{self.policy.exploration_floor:g}: what is evaluated is what would be served; write the same in both"
            )
        return self

    @model_validator(mode="after")
    def _guardrails_name_metrics(self) -> Self:
        known = [*self.metrics, *replayed_metrics(self)]
        if unknown := [rail.metric for rail in self.gate.guardrails if rail.metric not in known]:
            hints = "; ".join(f"{name}{suggest(name, known)}" for name in dict.fromkeys(unknown))
            raise ValueError(f"guardrails on unknown metrics: {hints}")
        return self

    @model_validator(mode="after")
    def _margin_rate_is_used(self) -> Self:
        values: set[str] = {term.value for term in self.reward.terms}
        values |= {metric.value for metric in self.money_metrics.values()}
        if self.reward.margin_rate is not None and "margin" not in values:
            raise ValueError("reward.margin_rate is given, but no term or metric has value: margin")
        return self

    @model_validator(mode="after")
    def _item_facts_are_used(self) -> Self:
        """Return the scenario; raise where items tell what nothing asks for, or decisions what features don't see."""
        if self.reward.item_costs and not self.counts_costs:
            raise ValueError("reward.item_costs is given, but no term or metric has value: margin or cost")
        if self.action.item_categories and not self.observation.item_categories:
            raise ValueError(
                "action.item_categories is given without observation.item_categories: features would not see the "
                "categories that decisions choose; write both"
            )
        return self

    @model_validator(mode="after")
    def _candidates_take_the_discount(self) -> Self:
        """Return the scenario; raise where it discounts per day and a candidate's algorithm counts steps alone."""
        algorithms = dict.fromkeys(candidate.algorithm for candidate in self.candidates)
        known = Candidate.algorithms
        if self.discount.per == "day" and (
            per_step := [one for one in algorithms if not known[one].takes_elapsed_time]
        ):
            raise ValueError(
                f"discount.per is day, but {', '.join(per_step)} discounts every step alike (takes_elapsed_time of its "
                "entry): leave it out of candidates, or write discount.per: step"
            )
        return self

    @model_validator(mode="after")
    def _attributes_are_named(self) -> Self:
        """Return the scenario; raise where a candidate scores by attributes and none is named."""
        scoring = [one.algorithm for one in self.candidates if one.action_scores == "by_attributes"]
        if scoring and not self.action.attributes:
            raise ValueError(
                f"{', '.join(dict.fromkeys(scoring))} scores actions by_attributes, and action.attributes lists none; "
                "name what is known of items there, such as {name: price, kind: amount}"
            )
        return self

    @property
    def request_problem(self) -> str:
        """Why no request can be answered with a decision: the clock, or features that no service makes; else empty."""
        if self.clock != "session_step":
            return f"{self.name} decides by {self.clock}, and requests are for decisions within sessions (session_step)"
        windowed = list(self.observation.windows)
        if windowed:
            return f"{self.name} observes {', '.join(windowed)}, which the service doesn't make yet"
        return ""

    @property
    def list_problem(self) -> str:
        """Why no week's list can be decided: the clock, features that are made as events come; else empty."""
        if self.clock != "shopper_week":
            return f"{self.name} decides by {self.clock}, and lists are for decisions by the week (shopper_week)"
        if self.eligibility is None:
            return f"{self.name} doesn't say who may get an offer; write eligibility"
        running = [one.name for one in self.observation.features if _is_of_running_episode(one.name)]
        if running:
            return (
                f"{self.name} observes {', '.join(running)}, which a list made from the day before's deliveries can't "
                "know; observe features of delay `delivery` alone"
            )
        return ""

    @property
    def units(self) -> str:
        """What sentences call the independent units, in the plural."""
        return "products" if self.ordering is not None else self.evaluation.units

    @property
    def money_metrics(self) -> dict[str, EventMetric]:
        """The side metrics in money by name, in millionths; the others count events."""
        return {name: metric for name, metric in self._event_metrics.items() if metric.is_money}

    @property
    def _event_metrics(self) -> dict[str, EventMetric]:
        return {name: metric for name, metric in self.metrics.items() if isinstance(metric, EventMetric)}

    @property
    def needs_money(self) -> bool:
        """True where the reward, a side metric or a feature is made of money of events."""
        windows = any(name in MONEY_WINDOWS for name, _ in self.observation.windows.values())
        return self.counts_money or self.counts_units or windows

    @property
    def stock_metrics(self) -> dict[str, str]:
        """What of a product's stock each side metric is, by name; of those that are one."""
        return {name: metric.value for name, metric in self._event_metrics.items() if metric.is_of_stock}

    @property
    def counts_units(self) -> bool:
        """True where the clock, the reward or a side metric is made of pieces of events."""
        of_metrics = any(not metric.is_money for metric in self._event_metrics.values())
        return self.ordering is not None or of_metrics or any(term.value == "units" for term in self.reward.terms)

    @property
    def counts_costs(self) -> bool:
        """True where a term or a metric asks what goods cost."""
        values = [term.value for term in self.reward.terms] + [one.value for one in self.money_metrics.values()]
        return "margin" in values or "cost" in values

    @property
    def counts_money(self) -> bool:
        """True where the reward or a side metric is money of events, or a decision's logged cost."""
        logs_cost = self.reward.action_cost is not None and self.reward.action_cost.logged
        return logs_cost or bool(self.money_metrics) or any(term.is_money for term in self.reward.terms)

    @model_validator(mode="after")
    def _guardrails_stand_once(self) -> Self:
        sides = [
            f"the {'rise' if rail.max_relative_decrease is None else 'fall'} of {rail.metric}"
            for rail in self.gate.guardrails
        ]
        if repeated := sorted({side for side in sides if sides.count(side) > 1}):
            raise ValueError(f"limited by two guardrails: {', '.join(repeated)}; keep one of each")
        return self


def _is_of_running_episode(feature: str) -> bool:
    known = feature_named(feature)
    return known is not None and known.delay == "none"


class Pipeline(StrictModel):
    """A scenario on a source: everything a run needs to know."""

    source: Source
    scenario: Scenario

    @property
    def is_logged(self) -> bool:
        """True where decisions were logged, False where they are implied."""
        return self.source.decisions.kind == "logged"

    @property
    def embargo_hours(self) -> int:
        """Hours left out between splits: as the spec says, at least attribution window plus longest session.

        None are where shoppers are divided in place of time.
        """
        if self.scenario.splits.by == "shopper":
            return 0
        return max(self.scenario.splits.embargo_hours or 0, self._least_embargo_hours)

    @property
    def embargo_in_words(self) -> str:
        """The embargo, and which settings make it that long."""
        if self.scenario.splits.by == "shopper":
            return "none: episodes are divided by shopper (splits.by)"
        window, longest = self.scenario.reward.attribution.window_hours, self.longest_episode_hours
        week, ordering = self.scenario.week, self.scenario.ordering
        of_episode = "session.max_hours" if week is None else "an episode's weeks in hours"
        of_episode = of_episode if ordering is None else "an episode's periods in hours"
        least = f"reward.attribution.window_hours ({window}) + {of_episode} ({longest})"
        stated = self.scenario.splits.embargo_hours
        if stated is None:
            return f"{self.embargo_hours} hours, from {least}"
        if stated < self._least_embargo_hours:
            return f"{self.embargo_hours} hours, raised from splits.embargo_hours ({stated}) by {least}"
        return f"{self.embargo_hours} hours, from splits.embargo_hours"

    @property
    def _least_embargo_hours(self) -> int:
        return self.scenario.reward.attribution.window_hours + self.longest_episode_hours

    @property
    def settle_days(self) -> int:
        """After this many days a partition no longer changes: lateness + longest session + attribution window.

        One hour more, since the day on which clocks go forward is an hour short.
        """
        week, session = self.scenario.week, self.source.session
        is_timed = week is not None or self.scenario.ordering is not None
        gap_hours = 0 if is_timed else -(-session.gap_minutes // 60)
        hours = self.scenario.reward.attribution.window_hours + self.longest_episode_hours + gap_hours
        return self.source.lateness_days + -(-(hours + 1) // 24)

    @property
    def longest_episode_hours(self) -> int:
        """How long after the start of its partition's day an episode's last event can come."""
        week, ordering = self.scenario.week, self.scenario.ordering
        if ordering is not None:
            return ordering.hour + HOURS_PER_DAY * ordering.days * ordering.periods
        return self.source.session.max_hours if week is None else week.hour + HOURS_PER_WEEK * week.weeks


def load_pipeline(
    scenario: str, source: str, *, folder: Path = SCENARIOS_FOLDER, sources_folder: Path | None = None
) -> Pipeline:
    """Return the scenario's spec, with the overrides it has for the source, and the source's.

    Raises:
        SpecError: unknown names or files that don't fit; with suggestions.
    """
    sources_folder = SOURCES_FOLDER if sources_folder is None else sources_folder
    loaded_source = load_source(source, sources_folder)
    path = folder / f"{scenario}.yaml"
    content = read_yaml(path)
    effective = merge(
        content,
        _override_of(content.pop("overrides", None) or {}, source, f"{path}", source_names(sources_folder)),
        WHOLE_KEYS,
    )
    loaded = parse_model(Scenario, effective, f"{path} (source {source})")
    if loaded.clock != loaded_source.decisions.clock:
        raise SpecError(
            f"{path}: scenario {scenario} decides by {loaded.clock}, and the decisions of source {source} are made by "
            f"{loaded_source.decisions.clock} (decisions.clock); its scenarios are "
            f"{', '.join(scenarios_for(source, folder, sources_folder)) or 'none'}"
        )
    if problem := _not_meant_for_each_other(loaded, loaded_source):
        raise SpecError(f"{path}: {problem}")
    if found := misfits(loaded, loaded_source):
        lines = [f"  {one.key}: {one.problem}{_explained_at(one.key)}" for one in found]
        raise SpecError(f"{path} doesn't fit source {source}: {len(lines)} problem(s)\n" + "\n".join(lines))
    return Pipeline(source=loaded_source, scenario=loaded)


def _override_of(overrides: Any, source: str, where: str, sources: Sequence[str]) -> dict[str, Any]:
    """Return what the overrides hold for the source; nothing where none is named as it.

    Raises:
        SpecError: they are no mapping by source, or one that is no source's is named almost as this one.
    """
    own = overrides.get(source, {}) if isinstance(overrides, dict) else overrides
    if not isinstance(own, dict):
        key = f"overrides.{source}" if isinstance(overrides, dict) else "overrides"
        raise SpecError(f"{where}: {key}: expected a mapping of a scenario's keys, got {own!r}")
    strangers = [str(name) for name in overrides if name not in sources] if source not in overrides else []
    for name in difflib.get_close_matches(source, strangers, n=1, cutoff=0.8):
        raise SpecError(f"{where}: overrides.{name}: no source has this name; did you mean {source!r}?")
    return own


def _not_meant_for_each_other(scenario: Scenario, source: Source) -> str | None:
    """Return which of the two doesn't list the other, and what to write; None where neither says whom it is for."""
    if scenario.sources is not None and source.name not in scenario.sources:
        listed = ", ".join(scenario.sources)
        return f"scenario {scenario.name} is for {listed} (sources), not {source.name}; name one, or add it to the list"
    if source.scenarios is not None and scenario.name not in source.scenarios:
        listed = ", ".join(source.scenarios)
        return (
            f"source {source.name} is for scenario {listed} (scenarios in its file), not {scenario.name}; name one, or "
            "add it to the list"
        )
    return None


def _explained_at(key: str) -> str:
    location = tuple(key.split("."))
    return pointer(Scenario if location[0] in Scenario.model_fields else Source, location)


def scenarios_for(source: str, folder: Path = SCENARIOS_FOLDER, sources_folder: Path | None = None) -> list[str]:
    """Return the names of the scenarios that decide by the clock of the source's decisions, sorted.

    Of products, those that count stock where the source does, or those that don't where it doesn't. Where a scenario
    lists its `sources`, or the source its `scenarios`, the other is on the list. One that can't be read is among them,
    so that it isn't passed over in silence.

    Raises:
        SpecError: no such source, or one that can't be read.
    """
    loaded = load_source(source, SOURCES_FOLDER if sources_folder is None else sources_folder)
    names = scenario_names(folder) if loaded.scenarios is None else loaded.scenarios
    return [name for name in sorted(names) if _decides_on(loaded, folder / f"{name}.yaml")]


def _decides_on(source: Source, path: Path) -> bool:
    try:
        content = read_yaml(path)
    except SpecError:
        return True
    listed = content.get("sources")
    if isinstance(listed, list) and source.name not in listed:
        return False
    others = set(get_args(Clock)) - {source.decisions.clock}
    if content.get("clock") in others:
        return False
    ordering = content.get("ordering")
    if source.decisions.clock != "sku_day" or not isinstance(ordering, dict):
        return True
    # Where sales alone imply what is ordered, scenarios are meant that ask for no counts, and elsewhere the others.
    return (ordering.get("stock") == "none") == (source.decisions.kind == "implied")


def scenario_names(folder: Path = SCENARIOS_FOLDER) -> list[str]:
    """Return the names of all scenarios in the folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))
