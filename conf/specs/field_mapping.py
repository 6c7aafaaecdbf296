"""How one field of an event is read from the raw columns of a line."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from conf.specs.delivery import _Untrimmed
from conf.specs.later_keys import GrownModel

MONEY_FIELDS = ("price", "amount", "cost", "discount")

NUMBER_FIELDS = (*MONEY_FIELDS, "quantity", "position", "propensity")


TEXT_FIELDS = (
    "event_id",
    "user_id",
    "item_id",
    "category_id",
    "order_id",
    "currency",
    "decision_id",
    "slate_id",
    "action",
    "availability_id",
    "policy_version",
)


# Words that stand for a missing value, unless a source says otherwise.
NULL_WORDS = ("NULL", "null", "nan", "NaN", "None", "\\N", "")


class FieldMapping(GrownModel):
    """Where a canonical field comes from: exactly one of `column`, `columns`, `first_of`, `constant`, `from_path`."""

    column: str | None = Field(
        default=None,
        description="Names the raw column that holds the value; in JSON lines and Parquet, a key or a path to it such "
        "as `user.id`, `items[0].id` or `params[key=page].value`. A path through `items[]` makes one event of each "
        "element; where paths go through several lists, each line may hold one of these.",
        examples=["visitorid"],
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        description="Lists raw columns whose values are joined by `separator`; the field is null where one of them is.",
        examples=[["invoice", "line"]],
    )
    constant: str | int | None = Field(
        default=None,
        description="Gives the same value to every line; an empty one gives none, as to the shopper of the shop's own "
        "events.",
        examples=["EUR"],
    )
    from_path: str | None = Field(
        default=None,
        description="Gives a regular expression with one group, which reads the value off the delivered file's "
        "relative path.",
        examples=["(?:^|/)(random|bts)/"],
    )
    required: bool = Field(
        default=False,
        description="Rejects lines without the value as `missing_field`, where it is true; money and quantity aren't "
        "asked of impressions, views and clicks.",
        examples=[True],
    )
    whole: bool = Field(
        default=False,
        description="Reads text such as `17850.0` as the id `17850`, where it is true: a column of whole numbers with "
        "gaps is often written so.",
        examples=[True],
    )
    separator: _Untrimmed = Field(
        default="|", description="Gives what stands between the values of columns that are joined.", examples=["-"]
    )
    extract: str | None = Field(
        default=None,
        description="Gives a regular expression with one group: the part of the column's value that counts. Lines in "
        "whose value it finds nothing are rejected as `bad_id` or `bad_number`.",
        examples=["^GA1\\.\\d\\.(.+)$"],
    )
    map: dict[str, str] | None = Field(
        default=None,
        description="Says what each value of the column, or what was extracted of it, stands for; lines with another "
        "value are rejected as `bad_id` or `bad_number`.",
        examples=[{"1": "mobile", "2": "desktop"}],
    )

    first_of: tuple[str | tuple[str, ...], ...] | None = Field(
        default=None,
        min_length=2,
        description="Lists raw columns of which the first that holds a value counts; a list among them stands for its "
        "columns joined by `separator`, which hold a value where each of them does.",
        examples=[["card", ["branch", "till", "receipt"]]],
    )

    fold_case: bool = Field(
        default=False,
        description="Reads capitals as small letters, where it is true: ids that a shop's systems write as `AB-7` and "
        "`ab-7`. What `extract` found is folded, then looked up in `map`.",
        examples=[True],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"whole", "separator", "extract", "map", "first_of", "fold_case"})

    @property
    def raw_columns(self) -> list[str]:
        """Raw columns it is read from."""
        return [column for columns in self.alternatives for column in columns]

    @property
    def alternatives(self) -> list[tuple[str, ...]]:
        """Raw columns that are joined, of each way to have a value: the first whose columns all hold one counts."""
        if self.column is not None:
            return [(self.column,)]
        if self.columns is not None:
            return [self.columns]
        return [(one,) if isinstance(one, str) else one for one in self.first_of or ()]

    @field_validator("extract", "from_path")
    @classmethod
    def _one_group(cls, pattern: str | None) -> str | None:
        return pattern if pattern is None else _with_one_group(pattern)

    @model_validator(mode="after")
    def _exactly_one_origin(self) -> Self:
        origins = [self.column, self.columns, self.first_of, self.constant, self.from_path]
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError("give exactly one of column, columns, constant, from_path, first_of")
        if not all(self.alternatives):
            raise ValueError("first_of: an empty list names no column; leave it out")
        if self.fold_case and not self.alternatives:
            raise ValueError("fold_case folds what columns hold; write a constant in small letters, or leave it out")
        if self.fold_case and (unmet := [key for key in self.map or () if key != key.casefold()]):
            raise ValueError(f"map: {unmet[0]!r} never comes where fold_case is true; write {unmet[0].casefold()!r}")
        return self


class ShopperMapping(FieldMapping):
    """The shopper: where the id comes from, as for text, and whether it is the pseudonym already."""

    is_pseudonym: bool = Field(
        default=False,
        description="Keeps the value as it is, where it is true: a log of decisions holds the pseudonyms that a "
        "service made with this home's key. Lines with anything but 32 hexadecimal digits are rejected as `bad_id`.",
        examples=[True],
    )

    later_keys: ClassVar[frozenset[str]] = FieldMapping.later_keys | {"is_pseudonym"}


class NumberMapping(FieldMapping):
    """A number: where it comes from, as for text, and what is accepted; the rest is rejected as `bad_number`."""

    above: float | None = Field(
        default=None, description="Accepts only numbers above this one, in the field's own unit.", examples=[0]
    )
    at_least: float | None = Field(
        default=None, description="Accepts only numbers from this one on, in the field's own unit.", examples=[1]
    )
    at_most: float | None = Field(
        default=None, description="Accepts only numbers up to this one, in the field's own unit.", examples=[1]
    )
    absolute: bool = Field(
        default=False,
        description="Drops the sign before the bounds are checked, where it is true (a refund's negative quantity).",
        examples=[True],
    )
    decimal_comma: bool = Field(
        default=False,
        description="Reads `1.234,50` as 1234.50, where it is true: points between thousands, a comma before decimals.",
        examples=[True],
    )
    scale: float | None = Field(
        default=None,
        gt=0,
        description="Multiplies the value, exactly, before its bounds are checked: 0.01 turns cents into units.",
        examples=[0.01],
    )
    times: str | None = Field(
        default=None,
        description="Names the raw column with a number that multiplies the value, exactly.",
        examples=["quantity"],
    )
    divided_by: str | None = Field(
        default=None,
        description="Names the raw column with a number that divides the value; the quotient is rounded once, at the "
        "end.",
        examples=["quantity"],
    )

    later_keys: ClassVar[frozenset[str]] = FieldMapping.later_keys | {"times", "divided_by", "scale", "decimal_comma"}

    @property
    def raw_columns(self) -> list[str]:
        """Raw columns it is read from."""
        return [*super().raw_columns, *[name for name in (self.times, self.divided_by) if name is not None]]

    @field_validator("times", "divided_by", mode="before")
    @classmethod
    def _column_is_no_number(cls, column: object) -> object:
        if isinstance(column, int | float):
            raise ValueError(f"names a column, and {column} is a number; a fixed factor is scale, as 0.01 for cents")
        return column

    @model_validator(mode="after")
    def _one_operation(self) -> Self:
        if self.times is not None and self.divided_by is not None:
            raise ValueError("give one of times, divided_by")
        return self


def compiled(pattern: str) -> re.Pattern[str]:
    """Return the compiled regular expression; raise ValueError, for a model's validator, if it is none."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error


def _with_one_group(pattern: str) -> str:
    n_groups = compiled(pattern).groups
    if n_groups != 1:
        raise ValueError(
            f"expected one group in parentheses, found {n_groups}; write (?:...) for those that don't count"
        )
    return pattern
