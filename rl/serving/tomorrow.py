"""Tomorrow's recommendations in bulk: every shopper that the newest histories know, decided as a request would be.

The same observations, rules and draws as in service, by the same `DecisionMaker`; what is asked for is one moment of
the day, before which nothing of that day was seen. The same inputs give the same list, to the ids.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from conf.kernel.calendar import day_number
from conf.specs.scenario import Pipeline
from conf.tables import RECOMMENDATIONS
from rl.data.arrow_schema import arrow_schema
from rl.policy.action_rules import ActionRules
from rl.serving.decisions import Decided, DecisionMaker, DecisionRequest, PolicyInUse, SharedOut
from rl.serving.explored import Explored
from rl.serving.histories import Histories, History
from rl.serving.shop_tables import ShopTables

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROPENSITY_DIGITS = 15  # of the events table
_AT_ONCE = 500


@dataclass(frozen=True)
class TomorrowOrder:
    """What is to be decided.

    Attributes:
        as_of: business day of the decisions, the day that the histories are for.
        time_us: moment of the decisions on that day, UTC microseconds.
        actions: natural keys of what is available then.
        availability_id: of the set they are; None where the scenario has no sets.
        n_positions: decisions for each shopper, each of another action.
        made_of: names what the decisions are made of beside these: histories, policies, rules.
    """

    as_of: date
    time_us: int
    actions: Sequence[str]
    availability_id: str | None
    n_positions: int
    made_of: Mapping[str, str]

    @property
    def seed(self) -> int:
        """Seed of the draws: the same for the same scenario and day."""
        return int.from_bytes(sha256(f"{self.made_of['scenario']}|{self.as_of}".encode()).digest()[:8])

    @property
    def digest(self) -> str:
        """Hash of everything that the decisions depend on."""
        content = [str(self.as_of), self.time_us, list(self.actions), self.availability_id, self.n_positions]
        text = json.dumps([*content, dict(self.made_of)], sort_keys=True)
        return sha256(text.encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Tomorrow:
    """What was decided.

    Attributes:
        rows: of the table `recommendations`, by shopper and position.
        n_shoppers: known to the histories, and asked to be decided for.
        n_control: of them held out, whom the shop itself decides for.
        n_incumbent: of them not yet reached by what is rolled out, whom the shop itself decides for.
        n_without_consent: known, and left out.
        n_short: shoppers for whom fewer positions than asked for could be filled.
        groups: decisions by group.
    """

    rows: pa.Table
    n_shoppers: int
    n_control: int
    n_incumbent: int
    n_without_consent: int
    n_short: int
    groups: Mapping[str, int]


class GivenHistories:
    """Histories of one day that are at hand, read as a store's."""

    def __init__(self, as_of: date) -> None:
        self._as_of_day = day_number(as_of)
        self.known: Mapping[str, History] = {}

    def read(self, shoppers: Sequence[str]) -> Histories:
        """Return the histories of the shoppers."""
        return Histories(self._as_of_day, [self.known.get(shopper) for shopper in shoppers])


def decide_tomorrow(  # noqa: PLR0913  (what a service holds, and what it is asked)
    pipeline: Pipeline,
    order: TomorrowOrder,
    histories: Iterable[tuple[str, History]],
    *,
    key: bytes,
    rules: ActionRules,
    champion: PolicyInUse,
    control: PolicyInUse | None = None,
    shared_out: SharedOut | None = None,
    explored: Explored | None = None,
    tables: ShopTables,
    consenting: Container[str] | None = None,
) -> Tomorrow:
    """Return the decisions for all shoppers, in the order of their histories.

    Args:
        pipeline: the scenario on the source.
        order: what is to be decided.
        histories: of each shopper, by pseudonym.
        key: of the pseudonyms, which says who is held out.
        rules: of the scenario; those that the policies carry hold beside them.
        champion: that decides.
        control: that decides for the shoppers held out; None leaves them to the shop.
        shared_out: how the champion is rolled out; None lets it decide for all.
        explored: plan that shares of the decisions follow; None where none does.
        tables: of the shop.
        consenting: shoppers who consent; None where nobody is asked.
    """
    store = GivenHistories(order.as_of)
    maker = DecisionMaker(
        pipeline,
        key=key,
        store=store,
        rules=rules,
        max_age_days=0,
        generator=np.random.default_rng(order.seed),
        name_slate=lambda asked: sha256(f"{order.digest}|{asked.shopper}".encode()).hexdigest()[:24],
    )
    maker.served, maker.control, maker.shared_out, maker.explored = champion, control, shared_out, explored
    maker.know_items(tables.categories, tables.told)
    counts: Counter[str] = Counter()
    groups: Counter[str] = Counter()
    schema = arrow_schema(RECOMMENDATIONS)
    parts = [schema.empty_table()]
    asked = _asked(histories, consenting, counts)
    while some := dict(islice(asked, _AT_ONCE)):
        store.known = some
        decided = maker.decide([_request(shopper, order) for shopper in some])
        counts["shoppers"] += len(decided)
        counts.update(one.arm for one in decided if one.uses_own)
        counts["short"] += sum(len(one.choices) < order.n_positions and not one.uses_own for one in decided)
        groups.update(choice.group for one in decided for choice in one.choices)
        parts.append(pa.Table.from_pylist(list(_rows(maker, decided)), schema=schema))
    return Tomorrow(
        rows=pa.concat_tables(parts).combine_chunks(),
        n_shoppers=counts["shoppers"],
        n_control=counts["control"],
        n_incumbent=counts["incumbent"],
        n_without_consent=counts["without consent"],
        n_short=counts["short"],
        groups=dict(sorted(groups.items())),
    )


def _asked(
    histories: Iterable[tuple[str, History]], consenting: Container[str] | None, counts: Counter[str]
) -> Iterator[tuple[str, History]]:
    """Yield the shoppers who are decided for, and count the others."""
    for shopper, history in histories:
        if consenting is None or shopper in consenting:
            yield shopper, history
        else:
            counts["without consent"] += 1


def _request(shopper: str, order: TomorrowOrder) -> DecisionRequest:
    return DecisionRequest(shopper, order.time_us, (), order.actions, order.availability_id, order.n_positions)


def _rows(maker: DecisionMaker, decided: Sequence[Decided]) -> Iterator[dict[str, Any]]:
    for one in decided:
        for position in range(len(one.choices)):
            event = maker.event(one, position)
            yield event | {
                "decision_time": _EPOCH + timedelta(microseconds=one.asked.time_us),
                "propensity": Decimal(f"{event['propensity']:.{_PROPENSITY_DIGITS}f}"),
            }
