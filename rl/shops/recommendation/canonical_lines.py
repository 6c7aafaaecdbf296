"""A simulation's events, items and stock as canonical JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.shops.recommendation.session_memory import CART, EVENT_TYPE_NAMES, IMPRESSION, PURCHASE, REFUND
from rl.shops.recommendation.shop import Shop
from rl.shops.recommendation.simulate import Simulation
from rl.shops.recommendation.simulated_episodes import decision_id

CURRENCY = "EUR"
WITH_QUANTITY = (CART, PURCHASE, REFUND)


def event_records(simulation: Simulation) -> Iterator[dict[str, object]]:
    """Yield every event as a canonical record, in the simulation's order; numbers are exact decimal literals."""
    shop, events, responses = simulation.shop, simulation.events, simulation.played.responses
    catalogue, version = shop.catalogue, shop.settings.logging.policy_version
    times = iso_times(events.time)
    columns = (events.rank, events.shopper, events.item, events.quantity, events.decision)
    sessions, steps, half_days = (values.tolist() for values in (responses.session, responses.step, responses.half_day))
    propensities = simulation.played.propensity.tolist()
    rows = zip(times, *(column.tolist() for column in columns), strict=True)
    for time, rank, shopper, item, quantity, decision in rows:
        decided, name = decision_id(sessions[decision], steps[decision]), EVENT_TYPE_NAMES[rank]
        record: dict[str, object] = {
            "event_id": f"{decided}-{name}",
            "event_time": time,
            "event_type": name,
            "user_id": f"shopper-{shopper:05d}",
            "item_id": catalogue.item_ids[item],
            "category_id": catalogue.category_ids[catalogue.category[item]],
            "decision_id": decided,
        }
        if rank == IMPRESSION:
            record |= {
                "slate_id": f"s-{decided}",
                "position": 0,
                "action": catalogue.item_ids[item],
                "propensity": propensities[decision],
                "policy_version": version,
                "availability_id": shop.availability_ids[half_days[decision]],
            }
        else:
            record |= {"price": float(catalogue.price_cents[item]) / 100, "currency": CURRENCY}
        if rank in WITH_QUANTITY:
            record["quantity"] = quantity
        yield record


def item_lines(shop: Shop, day: int) -> list[str]:
    """Return the lines of the day's snapshot of the catalogue."""
    catalogue, valid_from = shop.catalogue, half_day_start(shop, 2 * day)
    return [
        json.dumps(
            {
                "item_id": item_id,
                "category_id": catalogue.category_ids[catalogue.category[item]],
                "price": float(catalogue.price_cents[item]) / 100,
                "cost": float(catalogue.cost_cents[item]) / 100,
                "pack_size": 1,
                "volume": int(catalogue.volume[item]),
                "valid_from": valid_from,
            }
        )
        for item, item_id in enumerate(catalogue.item_ids)
    ]


def availability_lines(shop: Shop, day: int) -> list[str]:
    """Return the lines of the sets in force in the day's two halves."""
    return [
        json.dumps(
            {
                "availability_id": shop.availability_ids[half_day],
                "valid_from": half_day_start(shop, half_day),
                "actions": [shop.catalogue.item_ids[item] for item in np.flatnonzero(shop.availability[half_day])],
            }
        )
        for half_day in (2 * day, 2 * day + 1)
    ]


def half_day_start(shop: Shop, half_day: int) -> str:
    """Return the first instant of a half-day, ISO 8601 in UTC."""
    return iso_times(np.array([shop.calendar.half_day_start(half_day)]))[0]


def iso_times(time: IntArray) -> list[str]:
    """Return the microseconds since the epoch as ISO 8601 in UTC, to the microsecond."""
    return [f"{text}Z" for text in np.datetime_as_string(time.astype("datetime64[us]"), unit="us").tolist()]
