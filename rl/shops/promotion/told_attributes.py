"""What the register tells of shoppers, as the kernel takes it: a line as they join, and one more as they opt out."""

from __future__ import annotations

import numpy as np

from conf.kernel.calendar import day_number
from conf.kernel.told import Attributes, Told
from conf.observation_features import id_hash
from rl.data.logged_episodes import IntArray
from rl.shops.promotion.feeds.side_files import KNOWN_BEFORE, NEWSLETTER, REGIONS, registration_day, segment_name
from rl.shops.promotion.shop import Shop
from rl.shops.promotion.shopper_population import Population


def told_attributes(shop: Shop, population: Population, opt_outs: IntArray) -> Attributes:
    """Return the lines of the register; units are the places of the shoppers.

    Args:
        shop: the shop.
        population: its shoppers.
        opt_outs: place and moment of each opt-out, `(n, 2)`.
    """
    weeks, place = np.unique(population.joined_week, return_inverse=True)
    known = np.array([shop.calendar.decision_time(week) - KNOWN_BEFORE for week in weeks.tolist()])[place]
    told = np.array([registration_day(week) for week in weeks.tolist()])[place]
    row, time = np.append(np.arange(len(population)), opt_outs[:, 0]), np.append(known, opt_outs[:, 1])
    day = np.append(told, shop.calendar.day(opt_outs[:, 1])) + day_number(shop.settings.first_monday)
    segments = _hashes([segment_name(one) for one in range(len(shop.settings.kinds))])
    takes_letters = np.append(np.ones(len(population), dtype=np.int64), np.zeros(len(opt_outs), dtype=np.int64))
    values = {
        "segment": segments[population.segment[row]],
        "region": _hashes(REGIONS)[population.region[row]],
        "newsletter": _hashes(NEWSLETTER)[takes_letters],
    }
    return Attributes(
        np.repeat(_hashes(list(values)), len(row)),
        Told(
            key=np.tile(row, len(values)),
            valid_from_us=np.tile(time, len(values)),
            delivery_day=np.tile(day, len(values)),
            value=np.concatenate(list(values.values())),
        ),
    )


def _hashes(keys: tuple[str, ...] | list[str]) -> IntArray:
    return np.array([id_hash(key) for key in keys], dtype=np.int64)
