"""How a line becomes events: its type, its time and its fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from conf.event_types import EventType
from conf.specs.delivery import CsvFormat
from conf.specs.field_mapping import NUMBER_FIELDS, TEXT_FIELDS, FieldMapping, NumberMapping, ShopperMapping, compiled
from conf.specs.json_paths import Step, is_path, read_path
from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel, suggest
from conf.specs.time_mapping import TimeMapping


class EventTypePattern(StrictModel):
    """One rule of an event type read off a column: the first pattern that matches the whole value wins."""

    pattern: str = Field(description="Gives the regular expression that the whole value must match.", examples=["C.*"])
    type: EventType = Field(
        description="Names the event type of lines whose value matches the pattern.", examples=["refund"]
    )

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        return compiled(pattern).pattern


class EventTypeMapping(GrownModel):
    """The event type: a column with a map of its values, a column with patterns, or a constant."""

    column: str | None = Field(
        default=None,
        description="Names the raw column that tells what happened, with `map` or `match`.",
        examples=["event"],
    )
    map: dict[str, EventType] | None = Field(
        default=None,
        description="Gives the event type of each value of the column; lines with another value are rejected as "
        "`unknown_event_type`, unless `ignore` lists it.",
        examples=[{"view": "view", "addtocart": "cart"}],
    )
    match: tuple[EventTypePattern, ...] | None = Field(
        default=None,
        description="Lists patterns of the column's values, in order: the first that matches the whole value wins.",
        examples=[[{"pattern": "C.*", "type": "refund"}, {"pattern": "[0-9]+", "type": "purchase"}]],
    )
    constant: EventType | None = Field(
        default=None, description="Makes every line this type, where the log holds only one.", examples=["impression"]
    )
    ignore: tuple[str, ...] = Field(
        default=(),
        description="Lists values (patterns, beside `match`) whose lines mean nothing: they are rejected as `ignored`, "
        "and don't count towards `max_rejected_share`.",
        examples=[["heartbeat", "page_scroll"]],
    )

    first_of: tuple[str, ...] | None = Field(
        default=None,
        min_length=2,
        description="Lists raw columns, in place of `column`: the first that holds a value tells what happened.",
        examples=[["event", "type"]],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"ignore", "first_of"})

    @property
    def raw_columns(self) -> list[str]:
        """Raw columns it is read from."""
        return [self.column] if self.column is not None else list(self.first_of or ())

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.map, self.match, self.constant)) != 1:
            raise ValueError("give exactly one of map, match, constant")
        if (self.column is not None) + (self.first_of is not None) != (self.constant is None):
            raise ValueError("give column (or first_of) with map or match, and only then")
        if self.ignore and self.constant is not None:
            raise ValueError("ignore needs a column")
        if both := sorted(set(self.ignore) & set(self.map or {})):
            raise ValueError(f"{', '.join(both)}: both in map and in ignore")
        for pattern in self.ignore if self.match is not None else ():
            compiled(pattern)
        return self


def _refuse_two_signs(values: tuple[str, ...], match: str | None) -> None:
    """Raise unless a column tells by values or by a pattern, one that compiles."""
    if bool(values) == (match is not None):
        raise ValueError("give one of values, match")
    if match is not None:
        compiled(match)


class DerivedEvent(GrownModel):
    """A further event read off the same raw line, where a column says that there was one (a click flag)."""

    column: str = Field(description="Names the raw column that tells whether there was one.", examples=["click"])
    values: tuple[str, ...] = Field(
        default=(),
        description="Lists the column's values that mean there was one; give it or `match`.",
        examples=[["1", "1.0"]],
    )
    match: str | None = Field(
        default=None,
        description="Gives the regular expression that the whole value matches where there was one.",
        examples=[".*-1"],
    )
    type: EventType = Field(description="Names the type of the further event.", examples=["click"])
    price: NumberMapping | None = Field(
        default=None,
        description="Maps the price where it isn't that of the line's own event, such as the money given back.",
        examples=[{"column": "Refunded Amount", "above": 0}],
    )
    quantity: NumberMapping | None = Field(
        default=None,
        description="Maps the number of pieces where it isn't that of the line's own event.",
        examples=[{"constant": 1}],
    )
    without: tuple[str, ...] = Field(
        default=(),
        description="Lists fields of the line's own event that the further one doesn't have.",
        examples=[["item_id", "category_id"]],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"match", "price", "quantity", "without"})

    @property
    def raw_columns(self) -> list[str]:
        """Raw columns it is read from."""
        return [self.column, *[name for one in self.numbers.values() for name in one.raw_columns]]

    @property
    def numbers(self) -> dict[str, NumberMapping]:
        """Numbers that are its own, by field."""
        found = {name: getattr(self, name) for name in ("price", "quantity")}
        return {name: mapping for name, mapping in found.items() if mapping is not None}

    @model_validator(mode="after")
    def _one_sign(self) -> Self:
        _refuse_two_signs(self.values, self.match)
        known = [name for name in (*TEXT_FIELDS, *NUMBER_FIELDS) if name not in ("event_id", "user_id")]
        if unknown := [name for name in self.without if name not in known]:
            raise ValueError(f"without: no field {unknown[0]!r} to leave out{suggest(unknown[0], known)}")
        return self


class IgnoredLines(StrictModel):
    """Which lines mean nothing, told by a column that needn't be the event type's."""

    column: str = Field(description="Names the raw column that tells.", examples=["order_state"])
    values: tuple[str, ...] = Field(
        default=(),
        description="Lists the column's values, as they stand, whose lines mean nothing; give it or `match`.",
        examples=[["test", "cancelled"]],
    )
    match: str | None = Field(
        default=None,
        description="Gives the regular expression that the whole value matches where a line means nothing.",
        examples=["TEST.*"],
    )

    @model_validator(mode="after")
    def _one_sign(self) -> Self:
        _refuse_two_signs(self.values, self.match)
        return self


class EventMapping(GrownModel):
    """Which raw columns hold the fields of an event; a field that isn't named is null."""

    event_time: TimeMapping = Field(
        description="Says when it happened: a column and how to read it.",
        examples=[{"column": "timestamp", "unit": "milliseconds"}],
    )
    event_type: EventTypeMapping = Field(
        description="Says what happened: a column and its values, or a constant.",
        examples=[{"column": "event", "map": {"view": "view", "addtocart": "cart"}}],
    )
    user_id: ShopperMapping = Field(
        description="Says who the shopper was; only a keyed hash of it is stored.",
        examples=[{"column": "visitorid", "required": True}],
    )
    event_id: FieldMapping | None = Field(
        default=None,
        description="Gives an event its own id; left out, a keyed hash of the raw line is its id.",
        examples=[{"column": "event_id"}],
    )
    item_id: FieldMapping | None = Field(
        default=None,
        description="Names the item by its natural key.",
        examples=[{"column": "itemid", "required": True}],
    )
    category_id: FieldMapping | None = Field(
        default=None,
        description="Names the item's category by its natural key.",
        examples=[{"column": "category"}],
    )
    currency: FieldMapping | None = Field(
        default=None,
        description="Names the currency of the event's money, in three capital letters.",
        examples=[{"constant": "EUR"}],
    )
    order_id: FieldMapping | None = Field(
        default=None,
        description="Names the order of a purchase or refund: a refund is taken off where its order's purchase counts.",
        examples=[{"column": "order_number"}],
    )
    decision_id: FieldMapping | None = Field(
        default=None,
        description="Names the decision an event belongs to: a reward may be attributed by it.",
        examples=[{"column": "decision_id"}],
    )
    slate_id: FieldMapping | None = Field(
        default=None,
        description="Names the slate (what was shown together) that a decision is part of.",
        examples=[{"column": "slate_id"}],
    )
    action: FieldMapping | None = Field(
        default=None,
        description="Names what a decision chose; left out, it is the item.",
        examples=[{"column": "action"}],
    )
    availability_id: FieldMapping | None = Field(
        default=None,
        description="Names the set of actions that were available at a decision.",
        examples=[{"column": "availability_id"}],
    )
    policy_version: FieldMapping | None = Field(
        default=None,
        description="Names the version of the policy that decided.",
        examples=[{"from_path": "(?:^|/)(random|bts)/"}],
    )
    price: NumberMapping | None = Field(
        default=None,
        description="Gives the price of one piece, in units of the currency.",
        examples=[{"column": "price", "at_least": 0}],
    )
    amount: NumberMapping | None = Field(
        default=None,
        description="Gives what the shopper paid for all pieces, discounts taken off; left out, it is price times "
        "quantity.",
        examples=[{"column": "line_total"}],
    )
    cost: NumberMapping | None = Field(
        default=None,
        description="Gives what all pieces cost the shop; of a decision, what deciding so cost (an offer, a message).",
        examples=[{"column": "unit_cost", "times": "quantity", "at_least": 0}],
    )
    discount: NumberMapping | None = Field(
        default=None,
        description="Gives what was taken off before the shopper paid `amount`.",
        examples=[{"column": "coupon_value", "at_least": 0}],
    )
    quantity: NumberMapping | None = Field(
        default=None,
        description="Gives the number of pieces.",
        examples=[{"column": "quantity", "at_least": 1}],
    )
    position: NumberMapping | None = Field(
        default=None,
        description="Gives a decision's place in its slate, counted as the log counts it.",
        examples=[{"column": "position", "at_least": 0}],
    )
    propensity: NumberMapping | None = Field(
        default=None,
        description="Gives the probability with which the logged action was chosen.",
        examples=[{"column": "propensity", "above": 0, "at_most": 1}],
    )
    derived: tuple[DerivedEvent, ...] = Field(
        default=(),
        description="Lists further events that are read off the same raw lines.",
        examples=[[{"column": "click", "values": ["1"], "type": "click"}]],
    )

    ignore_where: tuple[IgnoredLines, ...] = Field(
        default=(),
        description="Lists columns whose values say that a line means nothing: test orders, robots. Such "
        "lines are rejected as `ignored`, counted by column, and don't count towards `max_rejected_share`.",
        examples=[[{"column": "order_state", "values": ["test", "cancelled"]}]],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"order_id", "amount", "cost", "discount", "ignore_where"})

    @property
    def columns_of_fields(self) -> dict[str, list[str]]:
        """Raw columns of each canonical field that the mapping names."""
        time, type_ = self.event_time, self.event_type
        found = {
            "event_time": time.raw_columns,
            "event_type": type_.raw_columns,
        }
        for name in (*TEXT_FIELDS, *NUMBER_FIELDS):
            mapping = getattr(self, name)
            if mapping is not None:
                found[name] = mapping.raw_columns
        found["derived"] = [name for one in self.derived for name in one.raw_columns]
        # No field, but columns that are read.
        return found | ({"ignore_where": [one.column for one in self.ignore_where]} if self.ignore_where else {})


def event_types_of(events: EventMapping) -> set[EventType]:
    """Return the types that lines of a feed can become."""
    mapping = events.event_type
    named = {mapping.constant} if mapping.constant is not None else set((mapping.map or {}).values())
    return named | {rule.type for rule in mapping.match or ()} | {one.type for one in events.derived}


def refuse_unfit_paths(events: EventMapping, unnested: Sequence[str] | None = None) -> None:
    """Raise if a column is no path, or if columns lie below lists that no line can follow.

    Args:
        events: the mapping.
        unnested: keys to the list whose elements are lines of their own; None where there is none.

    Raises:
        ValueError: says which.
    """
    named = [(field, column) for field, columns in events.columns_of_fields.items() for column in columns]
    paths = [(field, read_path(column)) for field, column in named if is_path(column)]
    elements = [(field, path.column, path.list_steps) for field, path in paths if path.list_steps is not None]
    for field, column, steps in elements:
        if unnested is not None and steps == tuple(unnested):
            raise ValueError(
                f"{field} is read from {column!r}, and each element is a line of its own by unnest: write "
                f"{column.replace('[]', '', 1)!r}"
            )
    _refuse_single(elements)
    for field in dict.fromkeys(field for field, _, _ in elements if field not in ("derived", "ignore_where")):
        mapping, of_field = getattr(events, field), [one for one in elements if one[0] == field]
        ways = mapping.alternatives if mapping.first_of is not None and isinstance(mapping, FieldMapping) else []
        parts = [[one for one in of_field if one[1] in way] for way in ways]
        for some in parts if mapping.first_of is not None else [of_field]:
            _refuse_several(some, "what one value is made of lies below one")


def refuse_unfit_lists(events: EventMapping, form: CsvFormat) -> None:
    """Raise if columns of a delimited file are elements of different lists.

    Raises:
        ValueError: says which.
    """
    named = [(field, column) for field, columns in events.columns_of_fields.items() for column in columns]
    elements = [(field, column, found) for field, column in named if (found := form.list_of(column))]
    _refuse_single(elements)
    _refuse_several(elements, "one line can follow one list")


# Field, column and the list that it is an element of.
_Element = tuple[str, str, tuple[Step, ...] | str]


def _refuse_single(elements: Sequence[_Element]) -> None:
    """Raise if a field that a line has once is an element."""
    for field, column, _ in elements:
        if field in ("event_time", "user_id", "event_id"):
            raise ValueError(
                f"{field} is read from {column!r}, an element of a list: a line has one {field}; where each element "
                "has its own, make each a line: `unnest: LIST` in JSON lines and Parquet, with columns such as LIST.at "
                "(of delimited text, flatten the files first); else name a column outside the list"
            )


def _refuse_several(elements: Sequence[_Element], why: str) -> None:
    lists = {found: column for _, column, found in reversed(elements)}
    if len(lists) > 1:
        columns = sorted(lists.values(), key=[column for _, column, _ in elements].index)
        raise ValueError(f"{' and '.join(columns)} lie below different lists; {why}")
