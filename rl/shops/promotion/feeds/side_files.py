"""Tables beside the feeds: who the shoppers are and may be written to, consents, offers, and what may be sent."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np

from rl.shops.promotion.feeds.campaign_feed import BLOCKED, EVERYONE, NOBODY_CODE, offer_codes
from rl.shops.promotion.feeds.feed_lines import decimal_comma, shopper_ids
from rl.shops.promotion.simulate import Simulation
from rl.shops.promotion.week_calendar import DAYS_A_WEEK, HOUR
from rl.shops.promotion.week_responses import NEVER

REGIONS = ("Nord", "Süd", "Ost", "West")
NEWSLETTER = ("nein", "ja")
KNOWN_BEFORE = 24 * HOUR
"""How long before their first decision newcomers are in the register, as it says."""

CUSTOMER_HEADER = "Kunde;Segment;Region;Newsletter;gültig_ab"
CONSENT_HEADER = "Kunde;erteilt;seit"
OFFER_HEADER = "Angebot;Kosten"

Files = dict[str, list[str]]
"""Lines of each file, by its name."""


def segment_name(segment: int) -> str:
    """Return what the register calls a segment."""
    return f"S{segment + 1}"


def registration_day(week: int) -> int:
    """Return the day on whose delivery the register names those who join with a week; 0 is the first Monday."""
    return max(week * DAYS_A_WEEK - 1, 0)


def side_files(simulation: Simulation) -> dict[int, Files]:
    """Return the lines of the files of each day that has any: around each week's decision, and after opt-outs.

    Newcomers are registered on the day before they are first decided on, those of the first week with it. A shopper's
    opt-out is a new line of the register, with all that was known of the shopper before.
    """
    days: dict[int, Files] = defaultdict(dict)
    for week in range(simulation.shop.settings.n_weeks):
        days[week * DAYS_A_WEEK] |= _offers(simulation)
        days[registration_day(week)] |= _newcomers(simulation, week)
    for time, row in _opt_outs(simulation):
        day = int(simulation.shop.calendar.day(np.array([time]))[0])
        lines = days[day].setdefault("customers.csv", [CUSTOMER_HEADER])
        lines.append(_customer(simulation, row, may_be_written_to=False, time=time))
    return dict(days)


def _offers(simulation: Simulation) -> Files:
    """Return what each offer commits the shop to, and the sets of offers that may be sent."""
    settings = simulation.shop.settings
    codes = offer_codes(settings)
    costs = [0, *[offer.committed_millionths for offer in settings.offers]]
    prices = [f"{code};{decimal_comma(cost, 6)}" for code, cost in zip(codes, costs, strict=True)]
    sets = {EVERYONE: codes, BLOCKED: [NOBODY_CODE]}
    return {
        "offers.csv": [OFFER_HEADER, *prices],
        "audiences.jsonl": [json.dumps({"audience": name, "offers": offers}) for name, offers in sets.items()],
    }


def _newcomers(simulation: Simulation, week: int) -> Files:
    """Return the register's and the consents' lines of those who join with the week."""
    joined = np.flatnonzero(simulation.population.joined_week == week).tolist()
    known = simulation.shop.calendar.decision_time(week) - KNOWN_BEFORE
    if not joined:
        return {}
    return {
        "customers.csv": [
            CUSTOMER_HEADER,
            *[_customer(simulation, row, may_be_written_to=True, time=known) for row in joined],
        ],
        "consents.csv": [CONSENT_HEADER, *[_consent(simulation, row, known) for row in joined]],
    }


def _opt_outs(simulation: Simulation) -> list[tuple[int, int]]:
    """Return time and shopper of each opt-out, by time."""
    found = [
        (int(time), int(row))
        for week in simulation.weeks
        for time, row in zip(week.opt_out_time.tolist(), week.row.tolist(), strict=True)
        if time != NEVER
    ]
    return sorted(found)


def _customer(simulation: Simulation, row: int, *, may_be_written_to: bool, time: int) -> str:
    population = simulation.population
    segment, region = segment_name(int(population.segment[row])), REGIONS[int(population.region[row])]
    shopper = shopper_ids(population.number[row : row + 1])[0]
    return ";".join([str(shopper), segment, region, NEWSLETTER[may_be_written_to], _iso(time)])


def _consent(simulation: Simulation, row: int, time: int) -> str:
    population = simulation.population
    shopper = shopper_ids(population.number[row : row + 1])[0]
    return f"{shopper};{'ja' if population.has_consented[row] else 'nein'};{_iso(time)}"


def _iso(time: int) -> str:
    return f"{np.datetime64(time, 'us').item().isoformat()}Z"
