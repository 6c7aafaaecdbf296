"""Which kernel made a partition: a change of what it computes is a change of what partitions are made from."""

from __future__ import annotations

VERSION = 2
"""Raised with every change after which some stream gives other sessions or transitions.

Partitions of the first one name none; so do those of releases that had the same rules in SQL.
"""


def kernel_inputs() -> dict[str, str]:
    """Return the kernel among a partition's inputs: name and version, as manifests hold them.

    Where the version is raised, every partition is due again, and a publisher of the version before is recognized as
    stale, since its inputs lack this one.
    """
    return {f"kernel/{version}": "yes" for version in range(2, VERSION + 1)}
