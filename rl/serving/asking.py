"""A caller's request becomes what is decided on: natural keys resolved, the shopper's id made a pseudonym."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from conf.id_form import keyed_id
from conf.pseudonyms import opted_out_name, pseudonym
from conf.specs.id_case import IdCase, feeds_case, id_case, tables_case
from conf.specs.scenario import Pipeline
from rl.errors import ServingError
from rl.serving.bodies import DecideRequest, Event
from rl.serving.decisions import DecisionRequest
from rl.serving.observation import SeenEvent
from rl.serving.shop_tables import ShopTables

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_IDS = ("user_id", "event_id", "item_id", "category_id", "action", "decision_id")
_FIRST, _LAST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

MOST_AHEAD = timedelta(minutes=5)
"""How far a shop's clock may be ahead of the service's; events later than the decision aren't seen by it."""


class UnfitRequest(ServingError):
    """A request that can't be decided on; says which field is wrong, and how."""

    def __init__(self, field: str, problem: str) -> None:
        """Take the field's path, such as `events.0.event_time`, and what is wrong with it."""
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


@dataclass(frozen=True)
class Asking:
    """What requests are read with.

    Attributes:
        pipeline: the scenario on the source.
        key: of the pseudonyms.
        is_replaying: whether requests say when they are decided.
        hashes_ids: whether the log's event ids are keyed hashes, by which equal types at one instant are ordered.
    """

    pipeline: Pipeline
    key: bytes
    is_replaying: bool = False
    hashes_ids: bool = False

    def read(
        self, body: DecideRequest, now: datetime, tables: ShopTables, vocabulary: tuple[str, ...]
    ) -> DecisionRequest:
        """Return the request as it is decided on.

        Args:
            body: as the caller sent it.
            now: when it came, UTC.
            tables: of the shop.
            vocabulary: what there is to choose where the scenario has no mask.

        Raises:
            UnfitRequest: a field can't be what it says.
        """
        time = self._decision_time(body, now)
        events = tuple(self._seen(event, f"events.{place}") for place, event in enumerate(body.events))
        for place, event in enumerate(body.events):
            if event.event_time > time + MOST_AHEAD:
                raise UnfitRequest(
                    f"events.{place}.event_time",
                    f"{event.event_time.isoformat()} is more than {MOST_AHEAD.seconds // 60} minutes after the "
                    f"decision at {time.isoformat()}; check its time zone",
                )
        return DecisionRequest(
            shopper=opted_out_name(self.key) if body.opted_out else self._pseudonym(body.user_id),
            time_us=_micros(time),
            events=() if body.opted_out else events,
            actions=self._available(body, tables, vocabulary),
            availability_id=body.availability_id,
            n_positions=body.n,
            is_opted_out=body.opted_out,
        )

    @cached_property
    def _cases(self) -> dict[str, IdCase]:
        """How the logs read the capitals of each id that a request may name."""
        source = self.pipeline.source
        return {name: id_case(source, name) for name in _IDS} | {"action": _action_case(self.pipeline)}

    def _id(self, name: str, given: str, field: str) -> str:
        """Return an id as the logs' readers write it."""
        found = self._cases[name].read(given)
        if found is None:
            raise UnfitRequest(field, self._cases[name].told_apart)
        return found

    def _id_or_none(self, name: str, given: str | None, field: str) -> str | None:
        return None if given is None else self._id(name, given, f"{field}.{name}")

    def _pseudonym(self, user_id: str) -> str:
        return pseudonym(self._id("user_id", user_id, "user_id"), self.key)

    def _seen(self, event: Event, field: str) -> SeenEvent:
        given = self._id_or_none("event_id", event.event_id, field) or ""
        return SeenEvent(
            event_type=event.event_type,
            time_us=_micros(event.event_time),
            event_id=keyed_id(given, self.key) if given and self.hashes_ids else given,
            item=self._id_or_none("item_id", event.item_id, field),
            category=self._id_or_none("category_id", event.category_id, field),
            action=self._id_or_none("action", event.action, field),
            price=event.price_millionths,
            decision_id=self._id_or_none("decision_id", event.decision_id, field),
            position=event.position,
        )

    def _decision_time(self, body: DecideRequest, now: datetime) -> datetime:
        if body.decision_time is None:
            return now
        if not self.is_replaying:
            raise UnfitRequest(
                "decision_time", "is taken by a service that replays a log (--replay) alone; leave it out"
            )
        if not _FIRST <= body.decision_time < _LAST:
            raise UnfitRequest("decision_time", f"expected a time from {_FIRST.year} to {_LAST.year}")
        return body.decision_time

    def _available(self, body: DecideRequest, tables: ShopTables, vocabulary: tuple[str, ...]) -> tuple[str, ...]:
        if body.available_actions is not None:
            if not self._cases["action"].folded:
                return body.available_actions
            read = (self._id("action", one, "available_actions") for one in body.available_actions)
            return tuple(dict.fromkeys(read))
        if body.availability_id is not None:
            if body.availability_id not in tables.sets:
                raise UnfitRequest(
                    "availability_id", f"no set {body.availability_id!r} was delivered; list the actions"
                )
            return tables.sets[body.availability_id]
        if self.pipeline.scenario.action.mask == "availability":
            raise UnfitRequest("available_actions", "say what may be shown, by a list or by availability_id")
        return vocabulary


def _action_case(pipeline: Pipeline) -> IdCase:
    """Return how the logs read the capitals of an action's natural key: the events' `action`, or else what it names."""
    source = pipeline.source
    has_action = any(feed.events.action is not None for feed in source.feeds_alone().values())
    named = "category_id" if pipeline.scenario.action.key == "category" else "item_id"
    events = feeds_case(source, "action" if has_action else named)
    tables = tables_case(source, {"availability": "actions", "offers": "offer_id"})
    return IdCase((*events.folded, *tables.folded), (*events.as_written, *tables.as_written))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
