"""All algorithms by the name that candidates use; `conf/specs/candidate.py` has the entries, one an algorithm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from conf.specs.candidate import CONTINUOUS_ALGORITHMS as CONTINUOUS_ENTRIES
from conf.specs.candidate import DISCRETE_ALGORITHMS as DISCRETE_ENTRIES
from conf.specs.candidate import AlgorithmEntry
from rl.errors import TrainingError
from rl.learning.algorithms.algorithm import Algorithm, ContinuousAlgorithm

Kind = TypeVar("Kind")


class Registered(Mapping[str, Kind]):
    """The algorithms of a table of entries, each imported when it is first asked for."""

    def __init__(self, entries: Mapping[str, AlgorithmEntry]) -> None:
        """Read the entries; those added later are found too.

        Args:
            entries: by the name that candidates use.
        """
        self._entries = entries

    def __getitem__(self, name: str) -> Kind:
        """Return the algorithm.

        Raises:
            KeyError: no entry has that name.
            TrainingError: there is nothing where the entry says that its code stands.
        """
        made: Kind = _made(self._entries[name].code)
        return made

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@cache
def _made(code: str) -> Any:
    module, _, kind = code.partition(":")
    try:
        return getattr(import_module(module), kind)()
    except (ImportError, AttributeError) as error:
        raise TrainingError(
            f"no algorithm at {code}: {error}; expected module:Class in conf/specs/candidate.py"
        ) from error


# Over a set of actions: what a scenario's candidates may name.
ALGORITHMS: Mapping[str, Algorithm] = Registered(DISCRETE_ENTRIES)

# Over order quantities and discounts, scaled to lie between -1 and 1; served by nights of orders.
CONTINUOUS_ALGORITHMS: Mapping[str, ContinuousAlgorithm] = Registered(CONTINUOUS_ENTRIES)
