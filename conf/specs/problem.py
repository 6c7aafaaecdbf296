"""What is learned: what a decision sees and chooses, how long it goes on, and how the log is split."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from conf.observation_features import (
    OBSERVATION_FEATURES,
    PRODUCT_FEATURES,
    SHOPPER_PREFIX,
    WINDOWED_FEATURES,
    attribute_of,
    feature_named,
    product_feature,
    window_of,
)
from conf.specs.action_attributes import ITEM_COLUMNS, ItemAttribute
from conf.specs.key_kinds import DATA, LEARNING
from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel, suggest


class Feature(GrownModel):
    """A feature of the observation."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Names the feature: one of the table of features, or `shopper_` and an attribute that the source's "
        "`shoppers` have.",
        examples=["session_step"],
    )
    length: int | None = Field(
        default=None,
        ge=1,
        le=200,
        description="Bounds the number of entries of a list feature, the most recent first; it is given for a list "
        "alone.",
        examples=[5],
    )

    values: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="Lists the values of a shopper's attribute that are told apart: each is observed as its place in "
        "the list, from 1, another one as 0, and -1 stands for none. It is given for an attribute alone.",
        examples=[["bronze", "silver", "gold"]],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"values"})

    @model_validator(mode="after")
    def _known(self) -> Self:
        definition = feature_named(self.name)
        if definition is None:
            windowed = [f"{name}_28d" for name in WINDOWED_FEATURES]
            products = [name.replace("{n}", "7") for name in PRODUCT_FEATURES]
            known = [*OBSERVATION_FEATURES, *windowed, *products, SHOPPER_PREFIX]
            raise ValueError(f"no feature {self.name!r}{suggest(self.name, known)}")
        if (definition.kind == "list") != (self.length is not None):
            raise ValueError(f"{self.name}: give length for a list feature, and only then")
        if bool(attribute_of(self.name)) != (self.values is not None):
            raise ValueError(f"{self.name}: give values for an attribute of the shopper, and only then")
        if self.values is not None and len(set(self.values)) < len(self.values):
            raise ValueError(f"{self.name}: a value stands twice among values")
        return self


class Observation(GrownModel):
    """What is known at a decision."""

    features: tuple[Feature, ...] = Field(
        min_length=1,
        description="Lists the features, by names of the table of features.",
        examples=[[{"name": "session_step"}, {"name": "recent_shown_items", "length": 5}]],
    )
    history_days: int = Field(
        default=7,
        ge=1,
        le=365,
        description="Sets how many days before the decision's own features of delay `delivery` look back.",
        examples=[7],
    )

    item_categories: bool = Field(
        default=False,
        description="Gives events that name no category that of their item, where it is true: what the source's "
        "`items` had told of it before the event's day. Features of categories see it; what a decision chooses "
        "is told by `action.item_categories`.",
        examples=[True],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"item_categories"})

    @property
    def windows(self) -> dict[str, tuple[str, int]]:
        """What each feature with a window of its own looks for and over how many days, by the feature's name."""
        named = {feature.name: window_of(feature.name) for feature in self.features}
        return {feature: window for feature, window in named.items() if window}

    @property
    def of_products(self) -> dict[str, tuple[str, int]]:
        """Which of PRODUCT_FEATURES each feature of a product is, and its number, by the feature's name."""
        named = {feature.name: product_feature(feature.name) for feature in self.features}
        return {feature: found for feature, found in named.items() if found}

    @model_validator(mode="after")
    def _looks_back_far_enough(self) -> Self:
        sold = {name: (form, days) for name, (form, days) in self.of_products.items() if form.startswith("units_sold")}
        if beyond := [name for name, (_, days) in (self.windows | sold).items() if days > self.history_days]:
            raise ValueError(
                f"{', '.join(beyond)}: looks back further than history_days ({self.history_days}); raise history_days"
            )
        return self

    @property
    def attributes(self) -> dict[str, str]:
        """The shopper's attribute that each feature is, by the feature's name; of those that are one."""
        named = {feature.name: attribute_of(feature.name) for feature in self.features}
        return {feature: name for feature, name in named.items() if name}

    @field_validator("features")
    @classmethod
    def _distinct(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        names = [feature.name for feature in features]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"features stand twice: {', '.join(repeated)}")
        return features


class Episode(StrictModel):
    """Bounds of an episode."""

    max_steps: int = Field(
        ge=1,
        le=1000,
        description="Bounds the number of decisions in an episode; a session with more goes on in a further episode.",
        examples=[40],
    )


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


DAYS_PER_WEEK = 7


class Week(StrictModel):
    """When weeks start, and how many of them are an episode: for the clock `shopper_week`."""

    weekday: Weekday = Field(description="Names the business day on which weeks start.", examples=["monday"])
    hour: int = Field(
        default=0,
        ge=0,
        le=23,
        description="Sets at which hour of that day a week starts, on the wall clock.",
        examples=[6],
    )
    weeks: int = Field(
        default=4,
        ge=1,
        le=26,
        description="Sets how many weeks are a block: a shopper's decisions of a block are an episode, which time "
        "ends. A block's partition changes until its last week is settled.",
        examples=[4],
    )


_USUAL_OVERDUE_DAYS = 2
_LEADS_PER_DELAY = 3
_USUAL_RANGE_DAYS = 28


class Ordering(GrownModel):
    """When products are ordered, and how many periods are an episode: for the clock `sku_day`."""

    every: Literal["day", "week"] = Field(
        default="day",
        description="Says how often each product in the range is decided on. Scenarios with `orders` write `day`: on "
        "which weekdays they order is in `orders.weekdays`.",
        examples=["day"],
    )
    weekday: Weekday = Field(
        default="monday",
        description="Names the business day on which weeks start, and with them blocks of days.",
        examples=["monday"],
    )
    hour: int = Field(
        default=0,
        ge=0,
        le=23,
        description="Sets at which hour of its business day a period starts, on the wall clock: the first count of a "
        "product after it is the decision.",
        examples=[4],
    )
    periods: int = Field(
        default=28,
        ge=1,
        le=182,
        description="Sets how many periods are a block: a product's decisions of a block are an episode, which time "
        "ends. A block's partition changes until its last period is settled.",
        examples=[28],
    )
    lead_days: int = Field(
        ge=1,
        le=180,
        description="Declares how many days after an order its units are promised: when what is on its way is due.",
        examples=[3],
    )
    receipts: Literal["delivered", "none"] = Field(
        default="delivered",
        description="Declares whether the log says what came in. Where it doesn't (`none`), an order counts as on its "
        "way up to the promised day, and nothing can be said of shrinkage.",
        examples=["delivered"],
    )
    stock: Literal["counted", "none"] = Field(
        default="counted",
        description="Declares whether the log counts what is in stock. Where it doesn't (`none`), a product is decided "
        "on each morning after it was sold lately (`range_days`), a purchase that was given back whole on its day "
        "counts as none, and `orders.declared_stock` simulates what nobody counted.",
        examples=["none"],
    )
    range_days: int = Field(
        default=_USUAL_RANGE_DAYS,
        ge=1,
        le=180,
        description="Declares for how many days after its last sale a product is still in the range, where the log "
        "counts no stock; `observation.history_days` is longer.",
        examples=[28],
    )
    overdue_days: int | None = Field(
        default=None,
        ge=0,
        le=180,
        description="Declares for how many days after the promised one what hasn't come is still expected and counted "
        "on: afterwards it is taken for cancelled, and what comes all the same is in the next count. Left out, it is "
        "2, or a third of `lead_days` where that is more.",
        examples=[2],
    )
    rests: Literal["expected", "dropped"] = Field(
        default="expected",
        description="Declares what becomes of the rest of an order of which less has come than was ordered: it is "
        "`expected` like what is late, as where orders come in several deliveries, or `dropped` once the promised day "
        "is over, as where suppliers cancel what they lack.",
        examples=["dropped"],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"overdue_days", "rests", "stock", "range_days"})

    @property
    def is_counted(self) -> bool:
        """Whether the log counts what is in stock."""
        return self.stock == "counted"

    @property
    def days(self) -> int:
        """Days of a period."""
        return 1 if self.every == "day" else DAYS_PER_WEEK

    @property
    def expected_overdue_days(self) -> int:
        """For how many days after the promised one what hasn't come is expected; 0 without receipts."""
        if self.overdue_days is not None or self.receipts == "none":
            return self.overdue_days or 0
        return max(_USUAL_OVERDUE_DAYS, self.lead_days // _LEADS_PER_DELAY)

    @model_validator(mode="after")
    def _overdue_by_receipts(self) -> Self:
        if self.receipts == "none" and (self.overdue_days is not None or self.rests != "expected"):
            raise ValueError("overdue_days and rests are told by receipts, and receipts is none; leave them out")
        return self

    @model_validator(mode="after")
    def _nothing_without_counts(self) -> Self:
        if self.is_counted and self.range_days != _USUAL_RANGE_DAYS:
            raise ValueError("range_days is for a log that counts no stock (stock: none); whatever is counted is in it")
        if not self.is_counted and (self.receipts != "none" or self.every != "day"):
            raise ValueError("stock is none: nothing tells receipts or weeks; write receipts: none and every: day")
        return self


class Action(GrownModel):
    """What a decision chooses."""

    key: Literal["item", "category", "quantity"] = Field(
        json_schema_extra=DATA,
        description="Says what an action is: the decided event's `action`, or its item where it has none (`item`), "
        "the item's category (`category`), or, for the clock `sku_day`, how many units of the product were ordered "
        "(`quantity`).",
        examples=["item"],
    )
    quantities: tuple[int, ...] | None = Field(
        json_schema_extra=DATA,
        default=None,
        min_length=2,
        max_length=1000,
        description="Lists the least units of each action, ascending from 0, for `key: quantity` alone: `[0, 1, 6]` "
        "tells `0`, `1-5` and `6+` apart.",
        examples=[[0, 1, 6, 12, 24]],
    )
    mask: Literal["availability", "none"] = Field(
        json_schema_extra=DATA,
        description="Says what can be chosen at a decision: the actions of its availability set, or all of the "
        "vocabulary (`none`).",
        examples=["availability"],
    )
    max_actions: int = Field(
        ge=2,
        le=100_000,
        description="Bounds the number of actions of the vocabulary, the most frequent ones; further actions share "
        "one, `(other)`, which is never served.",
        examples=[500],
    )
    item_categories: bool = Field(
        json_schema_extra=DATA,
        default=False,
        description="Gives decisions and rewards that name no category that of their item, where it is true: what the "
        "source's `items` had told of it before the event's day. It is for `key: category`, with "
        "`observation.item_categories`.",
        examples=[True],
    )

    attributes: tuple[ItemAttribute, ...] = Field(
        json_schema_extra=LEARNING,
        default=(),
        description="Lists what is known of items: candidates with `action_scores: by_attributes` score an action by "
        "it, so that items alike learn from each other and a new one needs no clicks of its own, and every candidate "
        "observes it of the items in the observation's lists. It is for `key: item`; left out, items are ids alone.",
        examples=[[{"name": "category_id", "kind": "label"}, {"name": "price", "kind": "amount"}]],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"item_categories", "quantities", "attributes"})

    @field_validator("attributes")
    @classmethod
    def _distinct_attributes(cls, attributes: tuple[ItemAttribute, ...]) -> tuple[ItemAttribute, ...]:
        names = [attribute.name for attribute in attributes]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"attributes stand twice: {', '.join(repeated)}")
        wrong = [
            one for one in attributes if (one.kind == "label") != (ITEM_COLUMNS.get(one.name, one.kind) == "label")
        ]
        if wrong := [one for one in wrong if one.name in ITEM_COLUMNS]:
            listed = ", ".join(f"{one.name} is a {ITEM_COLUMNS[one.name]}, read as {one.kind}" for one in wrong)
            raise ValueError(f"{listed}; a label is read as label, a number as number or amount")
        return attributes

    @model_validator(mode="after")
    def _attributes_of_items(self) -> Self:
        if self.attributes and self.key != "item":
            raise ValueError(f"attributes are of items, and an action is a {self.key} (key); leave them out")
        return self

    @property
    def quantity_keys(self) -> tuple[str, ...]:
        """Natural keys of the quantities: `0`, `1-5`, `6+`."""
        least = self.quantities or ()
        ranges = [(one, above - 1) for one, above in pairwise(least)]
        last = [f"{one}+" for one in least[-1:]]
        return (*(str(one) if one == most else f"{one}-{most}" for one, most in ranges), *last)

    @model_validator(mode="after")
    def _of_quantities(self) -> Self:
        if (self.key == "quantity") != (self.quantities is not None):
            raise ValueError("give quantities with key: quantity, and only then")
        least = self.quantities or (0, 1)
        if least[0] != 0 or any(above <= one for one, above in pairwise(least)):
            raise ValueError(f"quantities {list(least)}; expected whole numbers that ascend from 0")
        return self

    @model_validator(mode="after")
    def _of_categories(self) -> Self:
        if self.item_categories and self.key != "category":
            raise ValueError("item_categories gives decisions their category; expected key: category")
        return self


class DiscountRate(StrictModel):
    """How much less a later reward counts."""

    per: Literal["step", "day"] = Field(
        default="step",
        description="Says what discounts: each step (`step`), or the time between decisions, in days and their exact "
        "parts (`day`).",
        examples=["day"],
    )
    gamma: float = Field(
        gt=0,
        le=1,
        description="Multiplies rewards once for every step before them, or, per day, to the power of the days before "
        "them; 1 counts all alike.",
        examples=[0.95],
    )


class Splits(GrownModel):
    """Shares of the time between the first decision and the last settled one, less two embargoes; they sum to 1."""

    train: float = Field(
        gt=0, lt=1, description="Gives the share of the time whose episodes are learned from.", examples=[0.6]
    )
    validation: float = Field(
        gt=0,
        lt=1,
        description="Gives the share of the time whose episodes choose network, temperature and candidate.",
        examples=[0.15],
    )
    test: float = Field(
        gt=0,
        lt=1,
        description="Gives the share of the time whose episodes the chosen policy is judged on.",
        examples=[0.25],
    )
    embargo_hours: int | None = Field(
        default=None,
        ge=0,
        description="Leaves out this many hours between two splits; left out, or less than is safe, it is the "
        "attribution window plus the longest session.",
        examples=[24],
    )
    min_episodes: int = Field(
        default=50,
        ge=1,
        description="Learns nothing while any split has fewer episodes than this.",
        examples=[100],
    )

    by: Literal["time", "shopper"] = Field(
        default="time",
        description="Says what is divided: time (`time`), or the shoppers, by their pseudonyms (`shopper`), for an "
        "experiment whose decisions all fall into one moment. Shares are then of shoppers, and there is no embargo.",
        examples=["shopper"],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"by"})

    @model_validator(mode="after")
    def _no_embargo_of_shoppers(self) -> Self:
        if self.by == "shopper" and self.embargo_hours is not None:
            raise ValueError("embargo_hours is for splits by time: shoppers have nothing between them")
        return self

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError("train, validation and test must sum to 1")
        return self
