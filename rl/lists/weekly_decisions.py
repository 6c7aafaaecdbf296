"""One decision for every shopper of a week: who may get what, the draw within the budget, and the rows of the list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

from conf.observation_features import NOTHING_OFFERED
from conf.specs.scenario import Scenario
from conf.tables import DECISIONS
from rl.data.arrow_schema import arrow_schema
from rl.data.logged_episodes import BoolArray
from rl.data.week_observations import WeekObservations
from rl.errors import DatasetError, PolicyError
from rl.policy import StochasticPolicy, Vocabulary
from rl.policy.weekly_list import WeeklyList, draw_weekly_list

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROPENSITY_DIGITS = 15  # of the events table


@dataclass(frozen=True)
class Offers:
    """What shoppers may get.

    Attributes:
        available_id: set of those who may get offers; None where the scenario masks nothing.
        available: what is in it: natural keys; None for all that the policy knows.
        unavailable_id: set of the others, which holds nothing but `none`.
    """

    available_id: str | None
    available: frozenset[str] | None
    unavailable_id: str | None


@dataclass(frozen=True)
class DecidedWeek:
    """A week's list.

    Attributes:
        rows: of the table of decisions, by shopper.
        drawn: what was drawn, in the same order.
        may_get_offers: `(n_shoppers,)`.
    """

    rows: pa.Table
    drawn: WeeklyList
    may_get_offers: BoolArray


@dataclass(frozen=True)
class WeekStart:
    """When a week starts, and the business day on which it does."""

    as_of: date
    time_us: int

    def seed(self, scenario: str) -> int:
        """Return the seed of the week's draws: the same for the same scenario and day."""
        return int.from_bytes(sha256(f"{scenario}|{self.as_of}".encode()).digest()[:8])


def offers_of(scenario: Scenario, known_sets: dict[str, frozenset[str]]) -> Offers:
    """Return what shoppers may get, by the sets that the scenario names.

    Raises:
        DatasetError: a set that nobody delivered, or that doesn't hold what it should.
    """
    eligibility = scenario.eligibility
    if eligibility is None or eligibility.available is None or eligibility.unavailable is None:
        return Offers(None, None, None)
    named = (eligibility.available, eligibility.unavailable)
    if missing := [one for one in named if one not in known_sets]:
        raise DatasetError(
            f"eligibility names the availability sets {', '.join(missing)}, which no delivery holds; known are "
            f"{', '.join(sorted(known_sets)) or 'none'}"
        )
    available, unavailable = (known_sets[one] for one in named)
    if NOTHING_OFFERED not in available or unavailable != {NOTHING_OFFERED}:
        raise DatasetError(
            f"eligibility.available ({named[0]}) must hold `{NOTHING_OFFERED}`, and eligibility.unavailable "
            f"({named[1]}) nothing else; they hold {', '.join(sorted(available))} and {', '.join(sorted(unavailable))}"
        )
    return Offers(named[0], available, named[1])


def week_masks(observed: WeekObservations, vocabulary: Vocabulary, offers: Offers) -> tuple[BoolArray, BoolArray]:
    """Return what each shopper may get, `(n_shoppers, n_actions)`, and who may get offers, `(n_shoppers,)`.

    Raises:
        PolicyError: a policy that doesn't know how to offer nothing.
    """
    if NOTHING_OFFERED not in vocabulary.keys:
        raise PolicyError(f"the policy knows no action `{NOTHING_OFFERED}`: it can't leave anybody without an offer")
    available = vocabulary.mask_of(None if offers.available is None else sorted(offers.available))
    nothing = vocabulary.mask_of([NOTHING_OFFERED])
    may_get_offers = observed.is_active & ~observed.has_opted_out
    return np.where(may_get_offers[:, None], available, nothing), may_get_offers


def decide_week(
    policy: StochasticPolicy,
    observed: WeekObservations,
    offers: Offers,
    start: WeekStart,
    *,
    scenario: str,
    weekly_budget: int,
) -> DecidedWeek:
    """Return the list of a week, drawn within the budget; the same for the same shoppers, policy, budget and day.

    Args:
        policy: with prices, and what actions commit as of the week.
        observed: of all shoppers, at its start.
        offers: what they may get.
        start: of the week.
        scenario: its name.
        weekly_budget: in millionths.

    Raises:
        PolicyError: observations that don't fit the policy, or a budget that nothing keeps.
    """
    mask, may_get_offers = week_masks(observed, policy.vocabulary, offers)
    generator = np.random.default_rng(start.seed(scenario))
    features = policy.encode(observed.observation)
    drawn = draw_weekly_list(policy, features, mask, weekly_budget=weekly_budget, generator=generator)
    keys = policy.vocabulary.names
    moment = _EPOCH + timedelta(microseconds=start.time_us)
    sets = [offers.available_id if one else offers.unavailable_id for one in may_get_offers.tolist()]
    columns = {
        "decision_time": [moment] * len(observed),
        "user_id": list(observed.user_id),
        "action": [keys[one] for one in drawn.index.tolist()],
        "propensity": [Decimal(f"{one:.{_PROPENSITY_DIGITS}f}") for one in drawn.propensity.tolist()],
        "policy_version": [policy.version] * len(observed),
        "availability_id": sets,
        "committed": drawn.committed.tolist(),
    }
    contents = zip(*columns.values(), strict=True)
    columns["decision_id"] = [decision_id(scenario, start.as_of, content) for content in contents]
    return DecidedWeek(pa.table(columns, schema=arrow_schema(DECISIONS)), drawn, may_get_offers)


def decision_id(scenario: str, as_of: date, content: tuple[Any, ...]) -> str:
    """Return the id of a decision of a week: 32 hexadecimal digits, others for each that differs in anything.

    A week that is decided again keeps the ids of what stays as it was. What it decides otherwise is told from what was
    sent before: under one id, the first of two would count in the log, whichever was sent.

    Args:
        scenario: its name.
        as_of: day on which the week starts.
        content: of the decision's row, the shopper's id among it.
    """
    return sha256("|".join(map(str, (scenario, as_of, *content))).encode()).hexdigest()[:32]
