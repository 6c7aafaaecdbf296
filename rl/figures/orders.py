"""A night of orders in figures: who was compared, what each would have earned, and tomorrow's orders.

Money is in the reward's unit per product and week; units are pieces; shares lie in [0, 1].
"""

from __future__ import annotations

from datetime import date

from conf.specs.strict_yaml import StrictModel
from rl.figures.values import Spread


class SharedLimitFigures(StrictModel):
    """The limit that all products share; amounts are pieces, cubic millimeters, or money where it is of `cost`.

    price: usual price of a unit of it for a day, found on validation days, in money. taken: by all products once
    tomorrow's orders are placed; None without a list. held_back: units that the list would order without the limit.
    """

    of: str
    limit: float
    price: float
    taken: float | None = None
    held_back: int = 0


class WayToOrder(StrictModel):
    """A candidate, a champion or today's rule on the days of one split.

    role: today, candidate (the chosen one), formula (the best of them), champion, or other. is_learner: a network.
    held: units left over after a day, per product. service: share of demand met. stock_outs: share of product-days on
    which demand exceeded the stock. turnover: units sold for each unit held, per day; None where nothing was held.
    missed: margin that lost demand would have brought. truth: the same on the true demand of a simulated shop.
    fullest: largest share of the shared limit that was taken after a day's orders; days_beyond: share of days with
    orders that didn't fit into it. Both None without a shared limit. wasted: units past the days on which they can be
    sold, per product and week; waste: what they cost. Both None where all products keep, waste also without costs.
    """

    name: str
    method: str
    role: str
    is_learner: bool
    earned: Spread
    holding: float
    missed: float
    held: float
    service: float
    stock_outs: float
    turnover: float | None
    truth: float | None = None
    fullest: float | None = None
    days_beyond: float | None = None
    wasted: float | None = None
    waste: float | None = None


class PlanFigures(StrictModel):
    """The plan among the ways to order: how many of tonight's products it has tables of, and its lead.

    others: up to a few of the products without, by key. lead: what it earned more than the best formula on the
    validation days; None without an interval.
    """

    name: str
    n_planned: int
    n_products: int
    others: tuple[str, ...]
    lead: Spread | None


class CategoryCost(StrictModel):
    """Cost of a category's products, per product and week: holding, ordering, missed margin, by today's rule and not.

    difference: of both, the candidate's less today's; below 0 it is cheaper.
    """

    category: str
    n_products: int
    today: float
    candidate: float
    difference: Spread | None


class ProductDays(StrictModel):
    """A product's test days, drawn on the page: what was sold, its forecast, and stock under today's rule and not.

    why: shown since it is among the largest or the most changed. ran_out: days of the log that ran out.
    """

    product: str
    category: str
    why: str
    first_day: date
    sold: tuple[int, ...]
    forecast: tuple[float, ...]
    ran_out: tuple[bool, ...]
    stock_today: tuple[int, ...]
    stock_candidate: tuple[int, ...]


class OrderLine(StrictModel):
    """Tomorrow's order of a product, with what it rests on; usual: the mean order that the log placed in a day."""

    product: str
    category: str
    order: int
    level: float
    forecast: float
    on_hand: int
    on_the_way: int
    pack_size: int
    usual: float
    reason: str


class Censored(StrictModel):
    """What days that ran out hide: how many they are of the test days, and what the draws of their demand differ by.

    added: share that drawn demand adds to what was sold. added_lower, added_upper: over the draws. draws: of them.
    tail: what is declared of demand beyond the largest stock of like days. declared: its chance, in the mean over the
    test days. Both None of nights before these were told.
    """

    share: float
    added: float
    added_lower: float
    added_upper: float
    draws: int
    tail: str | None = None
    declared: float | None = None


class DeclaredRule(StrictModel):
    """The declared rule of a log that counts no stock, and the same with the safety that earns most on training days.

    gain: what the candidate earns more than the latter on the test days; None without an interval.
    """

    safety: float
    best_safety: float
    gain: Spread | None


class OrderFigures(StrictModel):
    """What a night of orders found.

    Attributes:
        lead_days: from an order to its arrival, as declared.
        ways: on test days: today's rule, the candidate, the best formula and the champion.
        validation: on validation days: all candidates.
        formula: name of the best formula by validation days.
        learner: name of the best learner by validation days; None where there is none.
        learner_lead: what it earned more than the best formula there.
        against_formula: what the candidate earns more than the best formula on test days; None where it is that.
        level: of the intervals.
        categories: costs by category, the largest difference first.
        censored: what days that ran out hide.
        products: drawn on the page.
        day: that tomorrow's orders are for.
        lines: tomorrow's orders of the products that the page shows, those with the largest orders first.
        n_lines: products of the whole list.
        n_ordered: of them, those that something is ordered of.
        units_ordered: of the whole list.
        n_unlisted: products of the range that have no line, since a count of theirs is missing.
        unlisted: natural keys of them, twenty at most.
        shared: the limit that all products share; None where there is none.
        plan: the best plan by validation days; None where none was tried.
        is_waste_charged: whether waste is taken off what is earned; None where all products keep.
        order_days: on which orders are placed, such as `every Monday`.
        days_covered: that an order lasts for, its own included, until the next one arrives; of several, the most.
        placed_elsewhere: share of today's rule's orders on the test days that were placed on other days than these.
        no_list: why there is no list for tomorrow, where none is due; empty otherwise.
        n_never: products of the list whose smallest order is more than may be on hand and on the way.
        never: natural keys of them, twenty at most.
        n_coarse: products of the list whose smallest order is more than twice what is ordered up to; it is placed where
            waiting would lose more than it costs to hold.
        coarse: natural keys of them, twenty at most.
        n_unworthy: of them, products that nothing is ordered of even so.
        unworthy: natural keys of these, twenty at most.
        n_untold_packs: products of the list without a pack size, though items tell it of others.
        untold_packs: natural keys of them, twenty at most.
        n_losing: products whose units bring nothing or less on the training days, ordering them included.
        losing: natural keys of them, twenty at most.
        follows_errors: whether forecasts follow their errors of the last days; None where the scenario doesn't ask.
        simulated_stock: what is declared of stock and orders that the log doesn't have, in words; empty else.
        declared_rule: that rule at its best; None where the log counts its stock, or of a night of an earlier release.
    """

    lead_days: int
    ways: tuple[WayToOrder, ...]
    validation: tuple[WayToOrder, ...]
    formula: str
    learner: str | None
    learner_lead: Spread | None
    against_formula: Spread | None
    level: float
    categories: tuple[CategoryCost, ...]
    censored: Censored
    products: tuple[ProductDays, ...]
    day: date | None
    lines: tuple[OrderLine, ...]
    n_lines: int
    n_ordered: int
    units_ordered: int
    n_unlisted: int
    unlisted: tuple[str, ...] = ()
    shared: SharedLimitFigures | None = None
    plan: PlanFigures | None = None
    is_waste_charged: bool | None = None
    order_days: str = "every day"
    days_covered: int | None = None
    placed_elsewhere: float = 0.0
    no_list: str = ""
    n_never: int = 0
    never: tuple[str, ...] = ()
    n_coarse: int = 0
    coarse: tuple[str, ...] = ()
    n_unworthy: int = 0
    unworthy: tuple[str, ...] = ()
    n_untold_packs: int = 0
    untold_packs: tuple[str, ...] = ()
    n_losing: int = 0
    losing: tuple[str, ...] = ()
    follows_errors: bool | None = None
    simulated_stock: str = ""
    declared_rule: DeclaredRule | None = None

    def way(self, role: str) -> WayToOrder | None:
        """Return the way to order of that role on the test days; None without one."""
        return next((one for one in self.ways if one.role == role), None)
