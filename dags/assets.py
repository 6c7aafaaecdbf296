"""The assets that chain the DAGs: a partition of each is one date."""

from __future__ import annotations

from airflow.sdk import Asset


def events_asset() -> Asset:
    """Return the asset that says that events, rejected lines and sessions of a date are published."""
    return _asset("events")


def transitions_asset(scenario: str) -> Asset:
    """Return the asset that says that transitions of a date are published."""
    return _asset(f"transitions/{scenario}")


def tonight_asset(scenario: str) -> Asset:
    """Return the asset that says tonight's transitions are published. Backfilled dates never update it."""
    return _asset(f"tonight/{scenario}")


def challenger_asset(scenario: str) -> Asset:
    """Return the asset that says that the night's selected candidate is registered, with its verdict."""
    return _asset(f"challenger/{scenario}")


def decisions_asset(scenario: str) -> Asset:
    """Return the asset that says that the list of a week is published; its partition is the day before the week."""
    return _asset(f"decisions/{scenario}")


def histories_asset(scenario: str) -> Asset:
    """Return the asset that says that a day's histories for requests are published; its partition is the day before."""
    return _asset(f"histories/{scenario}")


def recommendations_asset(scenario: str) -> Asset:
    """Return the asset that says that a day's recommendations are published; its partition is the day before."""
    return _asset(f"recommendations/{scenario}")


def order_list_asset(scenario: str) -> Asset:
    """Return the asset that says that a morning's orders are published; its partition is the day before."""
    return _asset(f"order_list/{scenario}")


def _asset(name: str) -> Asset:
    return Asset(name=name, uri=f"x-nightcart://{name}", group="nightcart")
