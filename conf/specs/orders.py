"""How much to order is learned and judged by replay: of scenarios with the clock of products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.errors import SpecError
from conf.specs.later_keys import GrownModel
from conf.specs.problem import WEEKDAYS, Ordering, Weekday
from conf.specs.reward import RewardTerm, millionths
from conf.specs.strict_yaml import StrictModel

if TYPE_CHECKING:  # a scenario is checked as it is loaded
    from conf.specs.scenario import Scenario

OrderMethod = Literal[
    "base_stock",
    "capped_base_stock",
    "reorder_point",
    "newsvendor",
    "projected_level",
    "hindsight",
    "discrete_cql",
    "discrete_iql",
    "double_dqn",
    "cql",
    "iql",
    "td3_plus_bc",
    "awac",
    "plan",
]
DemandTail = Literal["geometric", "negative_binomial", "at_bound"]
"""What may be declared of demand beyond the largest stock."""
USUAL_TAIL: DemandTail = "geometric"
VALUE_LEARNERS: frozenset[OrderMethod] = frozenset({"discrete_cql", "discrete_iql", "double_dqn"})
"""Methods of offline RL that choose among levels: they learn what each is worth from rows of logged decisions."""
ACTOR_LEARNERS: frozenset[OrderMethod] = frozenset({"cql", "iql", "td3_plus_bc", "awac"})
"""Methods of offline RL that say a level themselves, anywhere within a range, from rows of logged decisions."""
ROW_LEARNERS: frozenset[OrderMethod] = VALUE_LEARNERS | ACTOR_LEARNERS
LEARNERS: frozenset[OrderMethod] = ROW_LEARNERS | {"hindsight"}
"""Methods that learn more than a few numbers: they have to beat the others to be worth their trouble."""
NO_FORMULAS: frozenset[OrderMethod] = LEARNERS | {"plan"}
"""The learners and the plan, whose tables nobody checks by hand: chosen only where they lead the best formula."""

_OF_DECISIONS = ("candidates", "policy", "exploration")
"""Keys of scenarios whose decisions are drawn by chance among actions."""

GUARDED_FLOWS = ("opening", "ordered", "sold", "closing", "ran_out")
"""Metrics of stock that a replay tells, and guardrails may limit."""

WASTED = "wasted"
"""What a replay counts where products don't keep: units past the days on which they can be sold."""

NEEDED_FLOWS = ("opening", "ordered", "received", "sold", "closing")
"""Metrics of stock that a replay is made of."""

SOLD_FLOWS = ("sold",)
"""Metrics of stock that a log tells which counts none."""


class OrderCandidate(GrownModel):
    """A way to order, fitted once per seed."""

    algorithm: OrderMethod = Field(
        description="Names the way to order: up to a level that follows the forecast (`base_stock`, with a limit on "
        "one order `capped_base_stock`, from a reorder point on `reorder_point`, by the formula alone `newsvendor`), "
        "up to what is expected to be left on arrival (`projected_level`), up to what a network says that was led "
        "through logged demand (`hindsight`), as a plan over stock and orders on the way says (`plan`), up to the "
        "level that offline RL values most (`double_dqn`, `discrete_cql`, `discrete_iql`), or up to the "
        "level that a policy of offline RL says (`cql`, `iql`, `td3_plus_bc`, `awac`).",
        examples=["reorder_point"],
    )
    seeds: tuple[int, ...] = Field(
        default=(1,),
        min_length=1,
        description="Lists the random seeds; each makes a candidate. Formulas draw the demand of days that ran out by "
        "it, networks also their weights.",
        examples=[[1, 2, 3]],
    )
    n_updates: int | None = Field(
        default=None,
        ge=1,
        description="Sets how many gradient updates the training of a network does, 600 where it is left out and 5,000 "
        "of offline RL; formulas and the plan have none.",
        examples=[600],
    )
    rows: Literal["relabelled", "as_logged"] = Field(
        default="relabelled",
        description="Says what offline RL learns from: every logged day with levels drawn anew, whose outcome the "
        "declared demand tells (`relabelled`), or the orders as they were placed (`as_logged`). Other methods have no "
        "such rows.",
        examples=["as_logged"],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"rows"})

    @model_validator(mode="after")
    def _updates_of_networks(self) -> Self:
        if self.n_updates is not None and self.algorithm not in LEARNERS:
            raise ValueError(f"{self.algorithm} has no updates; leave out n_updates")
        if self.rows != "relabelled" and self.algorithm not in ROW_LEARNERS:
            raise ValueError(f"{self.algorithm} learns from no rows of decisions; leave out rows")
        return self


class SharedLimit(StrictModel):
    """One limit on the stock of all products together, on hand and on the way."""

    of: Literal["units", "volume", "cost"] = Field(
        description="Says what a piece takes of the limit: 1 (`units`), or its `volume` or `cost` as the source's "
        "`items` tell them, which every product of the log then needs.",
        examples=["cost"],
    )
    at_most: float = Field(
        gt=0,
        allow_inf_nan=False,
        description="Bounds what all products take together, on hand and on the way after a day's orders: pieces, "
        "cubic millimeters, or money in the reward's unit.",
        examples=[25000],
    )

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.in_whole < 1:
            raise ValueError(f"at_most: {self.at_most:g} {self.of} leaves room for nothing; write 1 or more")
        return self

    @property
    def in_whole(self) -> int:
        """The limit in whole pieces, cubic millimeters, or millionths of money, never above what is written."""
        return millionths(self.at_most) if self.of == "cost" else int(self.at_most)


class ShelfCategory(StrictModel):
    """How long the products of a category can be sold."""

    category: str = Field(
        min_length=1, description="Names the category, as the source's `items` have it.", examples=["bread"]
    )
    days: int = Field(
        ge=1,
        le=365,
        description="Sets on how many days a piece can be sold, that of its arrival included.",
        examples=[2],
    )


class Shelf(StrictModel):
    """How long products can be sold: what is past its days is waste."""

    days: int | None = Field(
        default=None,
        ge=1,
        le=365,
        description="Sets on how many days a piece can be sold, that of its arrival included, in categories that "
        "aren't listed; left out, these keep for good.",
        examples=[5],
    )
    categories: tuple[ShelfCategory, ...] = Field(
        default=(),
        description="Lists categories whose products can be sold for other days.",
        examples=[[{"category": "bread", "days": 2}]],
    )
    charged: bool = Field(
        default=True,
        description="Takes the `cost` of wasted pieces, as the source's `items` tell it, off what every way to order "
        "earns; `false` counts them alone.",
        examples=[False],
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        names = [one.category for one in self.categories]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"categories stand twice: {', '.join(repeated)}")
        if self.days is None and not names:
            raise ValueError("nothing is said of any product; write days, or categories with days")
        return self

    def days_of(self, category: str) -> int:
        """Return on how many days a piece of a category can be sold, 0 where it keeps for good."""
        return {one.category: one.days for one in self.categories}.get(category, self.days or 0)


class DeclaredStockRule(StrictModel):
    """How a shop whose log counts no stock is declared to order."""

    safety: float = Field(
        ge=-5,
        le=10,
        allow_inf_nan=False,
        description="Sets how many standard deviations of what is sold until an order arrives the shop orders above "
        "the mean, both of its last days.",
        examples=[1.3],
    )
    recent_days: int = Field(
        default=28,
        ge=2,
        le=365,
        description="Sets how many of the last days mean and standard deviation are of; a product that is in the range "
        "for less long has as many as it has.",
        examples=[28],
    )


class Orders(GrownModel):
    """Ways to order that are fitted every night, and what every order has to keep."""

    candidates: tuple[OrderCandidate, ...] = Field(
        min_length=1,
        description="Lists the ways to order that are fitted every night and judged alike by replay on logged demand; "
        "one formula at least is among them.",
        examples=[[{"algorithm": "base_stock"}, {"algorithm": "hindsight", "seeds": [1, 2]}]],
    )
    least_order: int = Field(
        default=0,
        ge=0,
        description="Sets the least pieces of an order of a product, if there is one; packs come from the source's "
        "`items`.",
        examples=[6],
    )
    most_units: int | None = Field(
        default=None,
        ge=1,
        description="Bounds the pieces of a product that are on hand and on the way together after an order; left "
        "out, nothing does.",
        examples=[500],
    )
    shared_limit: SharedLimit | None = Field(
        default=None,
        description="Bounds the stock of all products together, such as a budget or a storage; left out, nothing does. "
        "Every replay and the list keep it, and intervals are then over weeks alone, since it ties the products.",
        examples=[{"of": "cost", "at_most": 25000}],
    )

    weekdays: tuple[Weekday, ...] = Field(
        default=(),
        description="Lists the business days on which orders are placed, each to last until the next one's arrival; "
        "left out, they are placed every day. Products are counted, sold and held day by day all the same, so that "
        "`ordering.every` stays `day`.",
        examples=[["monday"]],
    )

    shelf: Shelf | None = Field(
        default=None,
        description="Declares how long pieces can be sold: replays sell the oldest first and count what is past its "
        "days as waste, which guardrails may limit as `wasted`; left out, all keeps for good.",
        examples=[{"days": 5}],
    )

    corrects_forecasts: bool = Field(
        default=False,
        description="Lets forecasts follow their errors of the last days, by lines fitted to training days, where "
        "later ones show that these err less; left out, a forecast is its level, weekday and promotion alone.",
        examples=[True],
    )

    demand_tail: DemandTail = Field(
        default=USUAL_TAIL,
        description="Declares demand beyond the largest stock of like days, which no day shows: going on with the last "
        "known rate of decline (`geometric`), by a negative binomial law of units around the forecast, fitted to all "
        "days and corrected by what they show (`negative_binomial`), or the least that is possible (`at_bound`). The "
        "page says on how many days demand lies there.",
        examples=["negative_binomial"],
    )

    declared_stock: DeclaredStockRule | None = Field(
        default=None,
        description="Declares how the shop orders, where the log counts no stock (`ordering.stock: none`): stock and "
        "orders are then simulated over the sales of the log, which are taken for all that was asked for. It is what "
        "ways to order are compared with, as today's rule; every page says so.",
        examples=[{"safety": 1.3, "recent_days": 28}],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset(
        {"shared_limit", "weekdays", "shelf", "corrects_forecasts", "demand_tail", "declared_stock"}
    )

    @field_validator("weekdays")
    @classmethod
    def _some_days(cls, weekdays: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
        if repeated := sorted({day for day in weekdays if weekdays.count(day) > 1}):
            raise ValueError(f"weekdays stand twice: {', '.join(repeated)}")
        if len(weekdays) == len(WEEKDAYS):
            raise ValueError("weekdays are all that there are; leave them out to order every day")
        return weekdays

    @model_validator(mode="after")
    def _learners_know_waste(self) -> Self:
        of_rows = [one.algorithm for one in self.candidates if one.algorithm in ROW_LEARNERS]
        if self.shelf is not None and of_rows:
            raise ValueError(f"{', '.join(of_rows)}: rows of decisions know no waste (shelf); leave them out")
        return self

    @model_validator(mode="after")
    def _plans_order_every_day(self) -> Self:
        if self.weekdays and any(one.algorithm == "plan" for one in self.candidates):
            raise ValueError("plan: it may order every day, not on weekdays alone; leave out the plan, or weekdays")
        return self

    @model_validator(mode="after")
    def _has_a_formula(self) -> Self:
        names = [candidate.algorithm for candidate in self.candidates]
        kinds = [(candidate.algorithm, candidate.rows) for candidate in self.candidates]
        if repeated := sorted({name for name, rows in kinds if kinds.count((name, rows)) > 1}):
            raise ValueError(f"candidates stand twice: {', '.join(repeated)}; give one of them more seeds")
        if self.most_units is not None and self.least_order > self.most_units:
            raise ValueError(
                f"least_order {self.least_order} is more than most_units {self.most_units}, so that nothing could ever "
                f"be ordered; write a least_order of {self.most_units} or less"
            )
        if set(names) <= NO_FORMULAS:
            raise ValueError("no candidate is a formula, which the others have to beat; add one, such as base_stock")
        return self

    @property
    def candidate_names(self) -> tuple[str, ...]:
        """Names of the candidates in their order: algorithm and seed."""
        return tuple(self.seeded)

    @property
    def seeded(self) -> dict[str, tuple[OrderCandidate, int]]:
        """Candidates with their seeds by name, such as `cql-1`; an algorithm's second entry is `cql.as_logged-1`."""
        found: dict[str, tuple[OrderCandidate, int]] = {}
        known: set[str] = set()
        for one in self.candidates:
            label = f"{one.algorithm}.{one.rows}" if one.algorithm in known else one.algorithm
            known.add(one.algorithm)
            found |= {f"{label}-{seed}": (one, seed) for seed in one.seeds}
        return found


def orders_problem(scenario: Scenario) -> str | None:
    """Return what doesn't go with a scenario's orders, or with their absence, and what to write, else None."""
    is_replayed = scenario.evaluation.estimator == "replay"
    if scenario.orders is None:
        missing = [name for name in _OF_DECISIONS if name not in scenario.model_fields_set]
        if missing or not scenario.candidates:
            return f"{', '.join(missing or ['candidates'])}: missing; every scenario without orders has them"
        return "evaluation.estimator: replay is for scenarios with orders" if is_replayed else None
    if problem := _unfit_ordering(scenario.orders, scenario.ordering):
        return problem
    fields = type(scenario).model_fields
    if given := [name for name in _OF_DECISIONS if getattr(scenario, name) != fields[name].default]:
        return f"{', '.join(given)}: orders have candidates of their own and are never drawn by chance; leave them out"
    if not is_replayed:
        return "orders are judged by replay alone; write evaluation.estimator: replay"
    if scenario.discount.gamma != 1:
        return "orders earn alike on every day of a replay; write discount.gamma: 1"
    problem = _untold_guardrails(scenario) or _unpriced(scenario) or _unseen(scenario)
    return problem or _unseen_promotions(scenario.orders, scenario)


def _unfit_ordering(orders: Orders, ordering: Ordering | None) -> str | None:
    """Return what of a scenario's ordering doesn't go with orders, and what to write, else None."""
    if ordering is not None and ordering.every == "week":
        return (
            "orders are replayed day by day, and ordering.every: week has a row a week; write ordering.every: day, and "
            f"orders.weekdays: [{ordering.weekday}] to order once a week"
        )
    if ordering is None or (ordering.is_counted and ordering.receipts != "delivered"):
        return (
            "orders are for clock: sku_day with ordering.every: day and ordering.receipts: delivered, or with "
            "ordering.stock: none, where the log counts nothing"
        )
    if ordering.is_counted != (orders.declared_stock is None):
        return (
            "orders.declared_stock simulates what no log counts: give it with ordering.stock: none, and only then, "
            "such as {safety: 1.3}"
        )
    return None


def refuse_orders(scenario: Scenario, command: str) -> None:
    """Raise if the scenario decides on orders: the command weighs decisions, which orders can't be.

    Raises:
        SpecError: it does; with what to run instead.
    """
    if scenario.orders is not None:
        raise SpecError(
            f"{command} weighs logged decisions, and {scenario.name} decides on orders, which are judged by replay: "
            "its nights compare all ways to order"
        )


def guarded_flows(scenario: Scenario) -> dict[str, str]:
    """Return which flow of a replay each metric is that a guardrail may limit, by name."""
    found = {name: flow for name, flow in scenario.stock_metrics.items() if flow in GUARDED_FLOWS}
    return found | {name: name for name in replayed_metrics(scenario)}


def replayed_metrics(scenario: Scenario) -> tuple[str, ...]:
    """Return names of what replays alone count, which no log holds: waste of what doesn't keep, simulated stock."""
    if scenario.orders is None:
        return ()
    flows = () if is_counted(scenario) else tuple(flow for flow in GUARDED_FLOWS if flow not in SOLD_FLOWS)
    return flows if scenario.orders.shelf is None else (*flows, WASTED)


def is_counted(scenario: Scenario) -> bool:
    """Return whether stock is counted: False where it is simulated, since the log says nothing of it."""
    return scenario.ordering is None or scenario.ordering.is_counted


def needed_flows(scenario: Scenario) -> tuple[str, ...]:
    """Return the metrics of stock that a replay is made of."""
    return NEEDED_FLOWS if is_counted(scenario) else SOLD_FLOWS


def _untold_guardrails(scenario: Scenario) -> str | None:
    """Return which guardrails a replay can't hold, or what stands in their way, else None."""
    if taken := [name for name in replayed_metrics(scenario) if name in scenario.metrics]:
        what = "waste (orders.shelf)" if taken[0] == WASTED else "simulated stock (ordering.stock: none)"
        return f"metrics.{taken[0]}: what replays count as {what} has that name; give it another"
    told = guarded_flows(scenario)
    untold = [name for name in dict.fromkeys(rail.metric for rail in scenario.gate.guardrails) if name not in told]
    if not untold:
        return None
    known = ", ".join(GUARDED_FLOWS)
    declare = f", or declare orders.shelf, which {WASTED} is counted by" if WASTED in untold else ""
    names = ", ".join(untold)
    return f"gate.guardrails on {names}: a replay tells metrics of stock ({known}) alone; leave them out{declare}"


def _unpriced(scenario: Scenario) -> str | None:
    """Return which terms of the reward a replay can't reckon, or lacks, else None."""
    strange = [f"{one.value} of {one.event}" for one in scenario.reward.terms if _price(one) is None]
    strange += [f"weights of {event}" for event in scenario.reward.weights]
    if strange:
        return (
            f"reward: a replay reckons margin of purchase (weight 1), and units of stock, units and count of order "
            f"below 0; not {', '.join(strange)}; leave them out"
        )
    if order_prices(scenario)["holding"] <= 0:
        return (
            "reward.terms: without what holding costs every order pays; write {event: stock, value: units, weight: "
            "-0.02}"
        )
    if not any(_price(one) == "margin" for one in scenario.reward.terms):
        return "reward.terms: nothing is earned; write {event: purchase, value: margin}"
    return None


def _price(term: RewardTerm) -> str | None:
    """Return which price of a replay a term of the reward is; None where it is none."""
    if (term.event, term.value, term.weight) == ("purchase", "margin", 1.0):
        return "margin"
    known = {("stock", "units"): "holding", ("order", "units"): "order_unit", ("order", "count"): "order_line"}
    return known.get((term.event, term.value)) if term.weight <= 0 else None


def order_prices(scenario: Scenario) -> dict[str, int]:
    """Return what a unit held over, an order, and a unit ordered cost, in millionths, at least 0 each."""
    found = dict.fromkeys(("holding", "order_line", "order_unit"), 0)
    for term in scenario.reward.terms:
        kind = _price(term)
        if kind in found:
            found[kind] -= millionths(term.weight)
    return found


def _unseen(scenario: Scenario) -> str | None:
    """Return which metrics and features a replay lacks, else None."""
    ordering = scenario.ordering
    flows, observed = set(scenario.stock_metrics.values()), {one.name for one in scenario.observation.features}
    lacking = [f"metrics: {{event: stock, value: {flow}}}" for flow in needed_flows(scenario) if flow not in flows]
    if margin_metric(scenario) is None:
        lacking.append("metrics: {event: purchase, value: margin}")
    if ordering is not None and ordering.is_counted:
        stock = ["units_on_hand", *(f"units_due_in_{day}d" for day in range(ordering.lead_days))]
        lacking += [f"observation.features: {name}" for name in stock if name not in observed]
    return f"orders are replayed from what is lacking here: {'; '.join(lacking)}; add them" if lacking else None


def _unseen_promotions(orders: Orders, scenario: Scenario) -> str | None:
    """Return which days' promotions orders that last for several days can't look ahead to, else None."""
    lead_days = 0 if scenario.ordering is None else scenario.ordering.lead_days
    observed = {one.name for one in scenario.observation.features}
    needed = [f"is_reduced_in_{day}d" for day in range(lead_days + longest_gap(orders.weekdays))]
    lacking = [name for name in needed if name not in observed]
    if not orders.weekdays or len(lacking) in (0, len(needed)):
        return None
    return (
        f"orders on {', '.join(orders.weekdays)} have to last for {len(needed)} days, and promotions are seen on some "
        f"of them alone; add observation.features: {', '.join(lacking)}, or leave out all is_reduced_in_ features"
    )


def longest_gap(weekdays: Sequence[Weekday]) -> int:
    """Return the most days from one of the weekdays to the next, 1 where none is named and all are meant.

    >>> longest_gap(["monday"]), longest_gap(["thursday", "monday"]), longest_gap([])
    (7, 4, 1)
    """
    places = sorted(WEEKDAYS.index(day) for day in weekdays)
    if not places:
        return 1
    return max(following - day for day, following in zip(places, [*places[1:], places[0] + 7], strict=True))


def margin_metric(scenario: Scenario) -> str | None:
    """Return the name of the metric that is the margin of what was sold; None without one."""
    return next((name for name, one in scenario.money_metrics.items() if one.value == "margin"), None)
