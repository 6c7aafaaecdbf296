"""Which kernel made a partition: a change of what it computes is a change of what partitions are made from."""

from __future__ import annotations

VERSION = 2
"""Raised with every change after which some stream gives other sessions or transitions.

Partitions of the first one name none; so do those of releases that had the same rules in SQL.
"""


PRODUCT_VERSION = 3
"""Raised likewise where streams of products alone give others: what is made of shoppers stays current."""


HOUR_VERSION = 2
"""Raised likewise where decisions by the week at an hour of the day alone give others."""


def kernel_inputs(*, of_products: bool = False, at_hours: bool = False) -> dict[str, str]:
    """Return the kernel among a partition's inputs: name and version, as manifests hold them.

    Where a version is raised, every partition that it is of is due again, and a publisher of the version before is
    recognized as stale, since its inputs lack this one.

    Args:
        of_products: whether decisions are of products.
        at_hours: whether they are made by the week, from an hour of the day on.
    """
    found = {f"kernel/{version}": "yes" for version in range(2, VERSION + 1)}
    if of_products:
        found |= {f"kernel/products-{version}": "yes" for version in range(2, PRODUCT_VERSION + 1)}
    if at_hours:
        found |= {f"kernel/hours-{version}": "yes" for version in range(2, HOUR_VERSION + 1)}
    return found
