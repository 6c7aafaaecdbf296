"""Every table of the lake: columns with type, unit and meaning, key, partitioning.

Types are written as Spark's SQL does. Only exact types: sums of them don't depend on the partitioning. Propensities
are decimals for that reason. `is_hashed=False` marks where a row was found, which isn't part of what it says: such
columns are left out of content hashes, so that shuffled lines give the same digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from conf.observation_features import feature_named
from conf.specs.scenario import Scenario

SCHEMA_VERSION = 1

PROPENSITY_TYPE = "decimal(18,15)"

RejectReason = Literal[
    "unreadable",
    "ignored",
    "missing_field",
    "half_record",
    "bad_timestamp",
    "bad_id",
    "bad_number",
    "unknown_event_type",
    "unknown_currency",
    "outside_window",
    "duplicate",
    "bot_rate",
]

# A line that fails several checks is rejected for the first of these.
REJECT_REASONS: tuple[RejectReason, ...] = (
    "unreadable",
    "ignored",
    "missing_field",
    "half_record",
    "bad_timestamp",
    "bad_id",
    "bad_number",
    "unknown_event_type",
    "unknown_currency",
    "outside_window",
    "duplicate",
    "bot_rate",
)

# Lines that were read right: meant to mean nothing, delivered twice, or of a visitor whom the bot rule names.
READ_RIGHT: frozenset[RejectReason] = frozenset({"ignored", "duplicate", "bot_rate"})

RewardResidual = Literal[
    "duplicate_across_deliveries",
    "no_consent",
    "no_earlier_decision",
    "outside_attribution_window",
    "quarantined",
    "unknown_decision",
]

# Where the reward of an accepted event goes that no transition earns.
REWARD_RESIDUALS: tuple[RewardResidual, ...] = (
    "duplicate_across_deliveries",
    "no_consent",
    "no_earlier_decision",
    "outside_attribution_window",
    "quarantined",
    "unknown_decision",
)

# Where counts of a product go that follow another one of the period; in the ledgers of decisions of products alone.
COUNT_RESIDUALS: tuple[str, ...] = ("recount",)

# Where refunds go whose purchase's decision doesn't take them; in the ledgers of scenarios that count money alone.
REFUND_RESIDUALS: tuple[str, ...] = ("late_refund", "refund_without_purchase")


@dataclass(frozen=True)
class Column:
    """A column; `unit` is empty for ids and flags.

    `is_later` marks one that the table gained after rows were published: where it is null it is left out of the row's
    hash, so that a row which doesn't use it keeps the hash it had; files without it are read as if it were null.
    """

    name: str
    type: str
    meaning: str
    unit: str = ""
    is_nullable: bool = False
    is_hashed: bool = True
    is_later: bool = False


@dataclass(frozen=True)
class Table:
    """A table; `partitioned_by` columns are in the path and in no file.

    settled_by: columns by which a row that several deliveries hold is one; the earliest delivery's counts.
    """

    name: str
    key: tuple[str, ...]
    partitioned_by: tuple[str, ...]
    columns: tuple[Column, ...]
    settled_by: tuple[str, ...] = ()

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def ddl(self) -> str:
        """The columns as Spark DDL, without the partition columns."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)


def _later(name: str, type_: str, meaning: str, unit: str = "") -> Column:
    return Column(name, type_, meaning, unit=unit, is_nullable=True, is_later=True)


RAW_LINES = Table(
    name="raw_lines",
    key=("delivery_date", "file", "line_number"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("file", "string", "relative path of the delivered file"),
        Column("line_number", "bigint", "line in the file, from 1 (the header counts)"),
        Column("byte_offset", "bigint", "start of the line in the uncompressed file", unit="bytes"),
        Column("line", "string", "the line as delivered, without its end"),
    ),
)

EVENTS = Table(
    name="events",
    key=("event_id",),
    partitioned_by=("event_date", "delivery_date", "user_bucket"),
    settled_by=("event_date", "event_id"),
    columns=(
        Column("event_id", "string", "keyed hash of the given id, or of (line, k) for its k-th identical occurrence"),
        Column("event_time", "timestamp", "when it happened, UTC", unit="microseconds"),
        Column("user_id", "string", "keyed hash of the shopper's id; empty for the shop's own events"),
        Column("event_type", "string", "canonical type"),
        Column("line_part", "int", "0 for the line's event, 1 and up for further events read off the same line"),
        Column("item_id", "string", "natural key of the item", is_nullable=True),
        Column("category_id", "string", "natural key of the category", is_nullable=True),
        Column("price", "bigint", "price of one piece", unit="millionths of currency", is_nullable=True),
        Column("quantity", "bigint", "pieces", unit="pieces", is_nullable=True),
        Column("currency", "string", "ISO 4217", is_nullable=True),
        Column("decision_id", "string", "keyed hash of the decision it belongs to", is_nullable=True),
        Column("slate_id", "string", "keyed hash of the slate: decisions shown together", is_nullable=True),
        Column("position", "int", "place in the slate", is_nullable=True),
        Column("action", "string", "natural key of the logged action", is_nullable=True),
        Column("propensity", PROPENSITY_TYPE, "behavior policy's probability of the action", is_nullable=True),
        Column("availability_id", "string", "set of actions that were available", is_nullable=True),
        Column("policy_version", "string", "policy that decided", is_nullable=True),
        _later("amount", "bigint", "paid for all pieces, as delivered", unit="millionths of currency"),
        _later("cost", "bigint", "the shop's cost of all pieces, or of the decision", unit="millionths of currency"),
        _later("discount", "bigint", "taken off before paying", unit="millionths of currency"),
        _later("order_id", "string", "order that a purchase or refund belongs to"),
    ),
)

EVENTS_REJECTED = Table(
    name="events_rejected",
    key=("delivery_date", "file", "line_number"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("line_hash", "string", "keyed hash of the line"),
        Column("reason", "string", "first check that failed"),
        Column("detail", "string", "which field, without its value", is_nullable=True),
        Column("file", "string", "keyed hash of the file's relative path, which landing keeps", is_hashed=False),
        Column("line_number", "bigint", "line in the file, from 1", is_hashed=False),
        Column("byte_offset", "bigint", "start of the line in the uncompressed file", unit="bytes", is_hashed=False),
    ),
)

ITEMS = Table(
    name="items",
    key=("item_id", "valid_from"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("item_id", "string", "natural key of the item"),
        Column("valid_from", "timestamp", "from when the row holds, UTC", unit="microseconds"),
        Column("category_id", "string", "natural key of the category", is_nullable=True),
        Column("price", "bigint", "price of one piece", unit="millionths of currency", is_nullable=True),
        Column("cost", "bigint", "what a piece costs the shop", unit="millionths of currency", is_nullable=True),
        Column("pack_size", "bigint", "pieces in a pack", unit="pieces", is_nullable=True),
        Column("volume", "bigint", "volume of a piece", unit="cubic millimeters", is_nullable=True),
    ),
)

AVAILABILITY = Table(
    name="availability",
    key=("availability_id", "valid_from"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("availability_id", "string", "id that decisions refer to"),
        Column("valid_from", "timestamp", "from when the set was in force, UTC", unit="microseconds"),
        Column("actions", "array<string>", "natural keys of the available actions, ascending"),
    ),
)

CONSENT = Table(
    name="consent",
    key=("user_id", "valid_from"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("user_id", "string", "keyed hash of the shopper's id"),
        Column("valid_from", "timestamp", "from when the row holds, UTC", unit="microseconds"),
        Column("is_given", "boolean", "the shopper consents to being learned from"),
    ),
)

OFFERS = Table(
    name="offers",
    key=("offer_id", "valid_from"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("offer_id", "string", "natural key of the offer"),
        Column("valid_from", "timestamp", "from when the row holds, UTC", unit="microseconds"),
        Column("cost", "bigint", "what it costs the shop", unit="millionths of currency", is_nullable=True),
    ),
)

STOCK = Table(
    name="stock",
    key=("item_id", "valid_from"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("item_id", "string", "natural key of the item"),
        Column("valid_from", "timestamp", "from when the row holds, UTC", unit="microseconds"),
        Column("quantity", "bigint", "pieces in stock", unit="pieces", is_nullable=True),
    ),
)

HOLIDAYS = Table(
    name="holidays",
    key=("name", "valid_from"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("name", "string", "what the holiday is called"),
        Column("valid_from", "timestamp", "start of its day, UTC", unit="microseconds"),
    ),
)

SHOPPERS = Table(
    name="shoppers",
    key=("user_id", "attribute", "valid_from"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("user_id", "string", "keyed hash of the shopper's id"),
        Column("valid_from", "timestamp", "from when the row holds, UTC", unit="microseconds"),
        Column("attribute", "string", "what is said of the shopper, by the source's name for it"),
        Column("value", "string", "what it is; null where it is taken back", is_nullable=True),
    ),
)

ITEM_ATTRIBUTES = Table(
    name="item_attributes",
    key=("item_id", "attribute", "valid_from"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("item_id", "string", "natural key of the item"),
        Column("valid_from", "timestamp", "from when the row holds, UTC", unit="microseconds"),
        Column("attribute", "string", "what is said of the item, by the source's name for it"),
        Column("value", "string", "what it is; null where it is taken back", is_nullable=True),
    ),
)

CURRENCIES = Table(
    name="currencies",
    key=("currency", "valid_from"),
    partitioned_by=("delivery_date",),
    columns=(
        Column("currency", "string", "ISO 4217"),
        Column("valid_from", "timestamp", "a moment of the day whose rate it is, UTC", unit="microseconds"),
        Column("rate", "string", "what one unit of it was worth in the source's currency, as a decimal number"),
    ),
)

SIDE_TABLES = {
    table.name: table
    for table in (ITEMS, AVAILABILITY, CONSENT, OFFERS, STOCK, HOLIDAYS, SHOPPERS, ITEM_ATTRIBUTES, CURRENCIES)
}
"""Tables that are delivered beside the events, by name; their fields' kinds stand in `conf.specs.side_table`."""

SESSIONS = Table(
    name="sessions",
    key=("session_id",),
    partitioned_by=("date",),
    columns=(
        Column("session_id", "string", "hash of shopper and first event"),
        Column("user_id", "string", "keyed hash of the shopper's id"),
        Column("start_time", "timestamp", "first event, UTC", unit="microseconds"),
        Column("end_time", "timestamp", "last event, UTC", unit="microseconds"),
        Column("n_events", "bigint", "events", unit="events"),
        Column("n_decisions", "bigint", "decisions", unit="decisions"),
        Column("is_cut", "boolean", "ended at the longest duration or a second midnight, not by the gap"),
        Column("is_closed", "boolean", "the watermark has passed the last event plus the gap, or it was cut"),
    ),
)

HISTORIES = Table(
    name="histories",
    key=("user_id", "day", "visible_from", "category_hash"),
    partitioned_by=("as_of",),
    columns=(
        Column("user_id", "string", "keyed hash of the shopper's id"),
        Column("day", "date", "business day on which the shopper came"),
        Column("visible_from", "date", "first business day before which both the day and its delivery lie"),
        Column("category_hash", "bigint", "id hash of the events' category, 0 none"),
        Column("n_clicks", "bigint", "click and view events", unit="events"),
        Column("n_purchases", "bigint", "purchase events", unit="events"),
        Column("n_engagements", "bigint", "events that show interest", unit="events"),
    ),
)


ATTRIBUTES = Table(
    name="attributes",
    key=("user_id", "attribute", "valid_from"),
    partitioned_by=("as_of",),
    columns=(
        Column("user_id", "string", "keyed hash of the shopper's id"),
        Column("valid_from", "timestamp", "from when the row holds, UTC", unit="microseconds"),
        Column("attribute", "string", "what is said of the shopper, by the source's name for it"),
        Column("value", "string", "what it is; null where it is taken back", is_nullable=True),
        Column("delivered", "date", "day of the delivery that told it; it counts from the next"),
    ),
)

SHOPPER_SCORES = Table(
    name="shopper_scores",
    key=("user_id",),
    partitioned_by=("as_of",),
    columns=(
        Column("user_id", "string", "keyed hash of the shopper's id"),
        Column(
            "score",
            "bigint",
            "what the learner says; null where the shopper came too long ago for the model",
            unit="millionths: of 1 for a probability, of currency for spend",
            is_nullable=True,
        ),
        Column(
            "calibrated",
            "bigint",
            "the score, corrected so that it comes true as often as it says: the one to use",
            unit="millionths, as of score",
            is_nullable=True,
        ),
        Column("model_version", "int", "version in the registry that says so"),
    ),
)


DECISIONS = Table(
    name="decisions",
    key=("decision_id",),
    partitioned_by=("as_of",),
    columns=(
        Column("decision_id", "string", "hash of scenario, as-of day and all that the row decides"),
        Column("decision_time", "timestamp", "start of the week that is decided, UTC", unit="microseconds"),
        Column("user_id", "string", "keyed hash of the shopper's id"),
        Column("action", "string", "natural key of the offer, or `none`"),
        Column("propensity", PROPENSITY_TYPE, "probability that it was drawn with"),
        Column("policy_version", "string", "policy that decided"),
        Column("availability_id", "string", "set of actions that the shopper could get", is_nullable=True),
        Column("committed", "bigint", "what sending it commits", unit="millionths of currency"),
    ),
)


RECOMMENDATIONS = Table(
    name="recommendations",
    key=("decision_id",),
    partitioned_by=("as_of",),
    columns=(
        Column("decision_id", "string", "hash of the shopper and of all that the list is made of, and the position"),
        Column("slate_id", "string", "names a shopper's decisions together"),
        Column("position", "int", "place in the slate, from 0"),
        Column("decision_time", "timestamp", "moment of the as-of day that is decided for, UTC", unit="microseconds"),
        Column("user_id", "string", "keyed hash of the shopper's id"),
        Column("item_id", "string", "natural key of the item, where actions are items", is_nullable=True),
        Column("category_id", "string", "natural key of its category", is_nullable=True),
        Column("action", "string", "natural key of what to show"),
        Column("propensity", PROPENSITY_TYPE, "probability that it was drawn with"),
        Column("policy_version", "string", "policy that decided"),
        Column("availability_id", "string", "set of actions that were available", is_nullable=True),
        Column("group", "string", "champion, incumbent, exploration, fallback or control, as a service says it"),
    ),
)


ORDER_LISTS = Table(
    name="order_lists",
    key=("item_id",),
    partitioned_by=("as_of",),
    columns=(
        Column("item_id", "string", "natural key of the product"),
        Column("category_id", "string", "natural key of its category", is_nullable=True),
        Column("order_units", "bigint", "to be ordered on the morning of the as-of day", unit="pieces"),
        Column("pack_size", "bigint", "pieces that are ordered together", unit="pieces"),
        Column("on_hand", "bigint", "expected to be counted that morning", unit="pieces"),
        Column("on_the_way", "bigint", "ordered and still expected: due later, that day, or overdue", unit="pieces"),
        Column("forecast", "bigint", "demand until the next order arrives", unit="millionths of a piece"),
        Column("target_level", "bigint", "that is ordered up to", unit="millionths of a piece"),
        Column("reason", "string", "why so much, in words"),
        Column("policy_version", "string", "policy that decided"),
    ),
)


def transitions_table(scenario: Scenario) -> Table:
    """Return the transitions of a scenario: observation and metrics hold the fields its spec names."""
    observation = _struct({f.name: _feature_type(f.name) for f in scenario.observation.features})
    metrics = _struct(dict.fromkeys(scenario.metrics, "bigint")) if scenario.metrics else "struct<none:bigint>"
    return Table(
        name="transitions",
        key=("episode_id", "step"),
        partitioned_by=("date",),
        columns=(
            Column("episode_id", "string", "hash of the session and, where it was longer than an episode, the part"),
            Column("step", "int", "decision within the episode, from 0"),
            Column("session_id", "string", "session the episode is part of"),
            Column(
                "user_id",
                "string",
                "the unit to resample: keyed hash of the shopper's id; of decisions of products, the product's key",
            ),
            Column("decision_id", "string", "the decision's id; the event's where the log gives none"),
            Column("position", "int", "place in the slate", is_nullable=True),
            Column("decision_time", "timestamp", "when it was decided, UTC", unit="microseconds"),
            Column("observation", observation, "exact features, from what was known before the decision"),
            Column("action_id", "bigint", "id hash of the action's natural key"),
            Column("action_key", "string", "the natural key"),
            Column("reward", "bigint", "what was attributed to the decision", unit="millionths of the reward unit"),
            Column("metrics", metrics, "side metrics by name", unit="events, units, millionths"),
            Column("next_observation", observation, "at the next decision; at an end as of closing time"),
            Column("terminal", "boolean", "nothing follows"),
            Column("timeout", "boolean", "cut by the horizon or a bound"),
            Column("reward_settled", "boolean", "the attribution window had closed by the horizon"),
            Column("propensity", PROPENSITY_TYPE, "behavior policy's probability of the action", is_nullable=True),
            Column("propensity_source", "string", "logged or none"),
            Column("policy_version", "string", "policy that decided", is_nullable=True),
            Column("availability_id", "string", "set of actions available at the decision", is_nullable=True),
            Column("next_availability_id", "string", "set available at the next observation", is_nullable=True),
            Column("elapsed_seconds", "bigint", "to the next decision, or to closing time", unit="seconds"),
        ),
    )


def observations_table(scenario: Scenario) -> Table:
    """Return what is known of each shopper at the start of a week: the observation holds the spec's features."""
    observation = _struct({f.name: _feature_type(f.name) for f in scenario.observation.features})
    return Table(
        name="observations",
        key=("user_id",),
        partitioned_by=("as_of",),
        columns=(
            Column("user_id", "string", "keyed hash of the shopper's id"),
            Column("observation", observation, "exact features, from what was delivered before the day"),
            Column("is_active", "boolean", "the shopper came within `eligibility.active_days`"),
            Column("has_opted_out", "boolean", "an attribute of `eligibility.opted_out` says so"),
        ),
    )


def _feature_type(name: str) -> str:
    known = feature_named(name)
    return "array<bigint>" if known is not None and known.kind == "list" else "bigint"


def _struct(fields: dict[str, str]) -> str:
    return f"struct<{','.join(f'{name}:{type_}' for name, type_ in fields.items())}>"
