"""What the clock of products asks of a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf.observation_features import OF_PRODUCTS_TOO

if TYPE_CHECKING:  # a scenario is checked as it is loaded
    from conf.specs.scenario import Scenario

_OF_SALES = ("sold",)
_OF_STOCK = ("units_on_hand", "units_on_order", "units_due_in_{n}d", "units_overdue", "last_lead_days")
_OF_RECEIPTS = ("received", "closing", "shrinkage", "ran_out", "last_lead_days", "units_overdue")


def ordering_problem(scenario: Scenario) -> str | None:
    """Return what doesn't go with the scenario's clock in what it says of orders, and what to write, else None."""
    ordering = scenario.ordering
    if (scenario.clock == "sku_day") != (ordering is not None):
        return "give ordering with clock: sku_day, and only then"
    if ordering is None:
        return _needs_the_clock(scenario)
    if scenario.action.key != "quantity" or scenario.action.mask != "none":
        return "clock sku_day decides how much to order; write action: {key: quantity, mask: none}, with quantities"
    if scenario.reward.attribution.link != "last_decision":
        return "clock sku_day rewards what comes until the next count; write reward.attribution.link: last_decision"
    least = 24 * ordering.days + 2
    if scenario.reward.attribution.window_hours < least:
        return (
            f"reward.attribution.window_hours is {scenario.reward.attribution.window_hours}; expected at least "
            f"{least}, so that the next count is within it, on the day on which clocks go back, too"
        )
    windows, of_products = scenario.observation.windows, scenario.observation.of_products
    named = {one.name: windows.get(one.name, (one.name, 0))[0] for one in scenario.observation.features}
    if strange := [name for name, kind in named.items() if name not in of_products and kind not in OF_PRODUCTS_TOO]:
        return f"features of shoppers, who are no products: {', '.join(strange)}; leave them out"
    return _of_no_receipts(scenario) if ordering.is_counted else _of_no_counts(scenario)


def _of_no_receipts(scenario: Scenario) -> str | None:
    """Return what a scenario asks of receipts where the log has none, else None."""
    if scenario.ordering is None or scenario.ordering.receipts != "none":
        return None
    unknown = [name for name, flow in scenario.stock_metrics.items() if flow in _OF_RECEIPTS]
    unknown += [name for name, (form, _) in scenario.observation.of_products.items() if form in _OF_RECEIPTS]
    return f"{', '.join(unknown)}: made of receipts, and ordering.receipts is none; leave them out" if unknown else None


def _of_no_counts(scenario: Scenario) -> str | None:
    """Return what a scenario asks of a log that counts no stock and that nothing there tells, else None."""
    ordering, features = scenario.ordering, scenario.observation.of_products
    if ordering is not None and ordering.range_days >= scenario.observation.history_days:
        return (
            f"ordering.range_days is {ordering.range_days}: whether a product is in the range is seen in its history; "
            f"expected less than observation.history_days ({scenario.observation.history_days})"
        )
    unknown = [f"metrics.{name}" for name, flow in scenario.stock_metrics.items() if flow not in _OF_SALES]
    unknown += [f"observation.features: {name}" for name, (form, _) in features.items() if form in _OF_STOCK]
    if unknown:
        return f"{', '.join(unknown)}: made of counts or orders, and ordering.stock is none; leave them out"
    return None


def _needs_the_clock(scenario: Scenario) -> str | None:
    """Return what of a scenario of another clock only that of products has."""
    named = list(scenario.observation.of_products)
    if named:
        return f"features of products, for clock sku_day alone: {', '.join(named)}"
    if scenario.action.key == "quantity":
        return "action.key: quantity is for clock sku_day alone"
    if scenario.stock_metrics:
        return f"metrics of stock, for clock sku_day alone: {', '.join(scenario.stock_metrics)}"
    return None
