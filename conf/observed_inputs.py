"""What the observations of a week are made from: known from pointers alone, so that whoever decides can ask again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta

from conf.kernel.version import kernel_inputs
from conf.paths import Lake, path_date
from conf.publication import Pointer, read_pointers
from conf.specs.scenario import Pipeline, Scenario
from conf.tables import CONSENT, EVENTS, ITEMS, SHOPPERS, Table

_TOLD_FORMS = ("price_in_{n}d", "is_reduced_in_{n}d", "product_category")


def week_inputs(lake: Lake, pipeline: Pipeline, as_of: date) -> dict[str, str]:
    """Return input name -> content hash of all that observations of a week are made from, as it is published now.

    Args:
        lake: of the source.
        pipeline: whose scenario decides by the week.
        as_of: day on which the week starts; deliveries before it count.
    """
    scenario, last = pipeline.scenario, as_of - timedelta(days=1)
    first = as_of - timedelta(days=scenario.observation.history_days)
    found = delivered_inputs(lake, first, last)
    opted_out = () if scenario.eligibility is None else tuple(scenario.eligibility.opted_out)
    for table in told_tables(pipeline, opted_out):
        found |= table_inputs(lake, table, last)
    if pipeline.source.consent is not None:
        found |= table_inputs(lake, CONSENT, last)
    # Not part of the spec's hash, since transitions don't depend on it.
    asked = {} if scenario.eligibility is None else {scenario.eligibility.input_name: "yes"}
    return found | kernel_inputs() | asked


def delivered_inputs(lake: Lake, first: date, last: date) -> dict[str, str]:
    """Return input name -> content hash of the deliveries up to the last day that hold events of the days."""
    return {
        _input_name(EVENTS, name): pointer.manifest.content_hash
        for name, pointer in _deliveries(lake, EVENTS, last).items()
        if any(first <= path_date(file, "event_date") <= last for file in pointer.files)
    }


def table_inputs(lake: Lake, table: Table, last: date) -> dict[str, str]:
    """Return input name -> content hash of a side table's deliveries up to the last day."""
    return {
        _input_name(table, name): pointer.manifest.content_hash
        for name, pointer in _deliveries(lake, table, last).items()
    }


def told_tables(pipeline: Pipeline, further: Collection[str] = ()) -> list[Table]:
    """Return the side tables that the scenario's observations are made of, beside the events.

    Args:
        pipeline: whose.
        further: attributes of shoppers that are asked for beside those that are features.
    """
    scenario = pipeline.scenario
    needs_items = scenario.observation.item_categories or scenario.action.item_categories or scenario.reward.item_costs
    needs_items = needs_items or asks_products(scenario)
    has_attributes = bool(scenario.observation.attributes or further)
    return [*([SHOPPERS] if has_attributes else []), *([ITEMS] if needs_items else [])]


def asks_products(scenario: Scenario) -> bool:
    """Return True where features of products see what the items table tells."""
    return any(form in _TOLD_FORMS for form, _ in scenario.observation.of_products.values())


def differing_inputs(made_from: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of inputs that came, went or changed since something was made from them, ascending."""
    return sorted(name for name in made_from.keys() | now.keys() if made_from.get(name) != now.get(name))


def _deliveries(lake: Lake, table: Table, last: date) -> dict[str, Pointer]:
    return {
        name: pointer
        for name, pointer in read_pointers(lake.table(table.name)).items()
        if path_date(name, "delivery_date") <= last
    }


def _input_name(table: Table, partition: str) -> str:
    return f"{table.name}/{partition}"
