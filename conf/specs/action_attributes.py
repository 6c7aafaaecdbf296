"""What is known of the items that a decision chooses among, and how a learner reads each of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from conf.specs.strict_yaml import StrictModel

ITEM_COLUMNS: dict[str, Literal["label", "number"]] = {
    "category_id": "label",
    "price": "number",
    "cost": "number",
    "pack_size": "number",
    "volume": "number",
}
"""Attributes that the table `items` has itself, and whether each is a name or a number."""


class ItemAttribute(StrictModel):
    """An attribute of items."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Names the attribute: `category_id`, `price`, `cost`, `pack_size` or `volume` of the source's "
        "`items`, or one of its `item_attributes`.",
        examples=["price"],
    )
    kind: Literal["number", "amount", "label"] = Field(
        description="Says how it is read: a `number` as it stands, an `amount` (0 or more, such as a price) by its "
        "logarithm, since a few are many times as large as most, and a `label` as one of the words that it takes.",
        examples=["amount"],
    )
