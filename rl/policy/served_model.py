"""The model as MLflow serves it: observation columns in, actions with their propensities out.

MLflow imports this module by name and calls `_load_pyfunc`; nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError
from rl.policy.stochastic_policy import Decisions, StochasticPolicy, load_policy

if TYPE_CHECKING:
    import pandas as pd

IntArray = npt.NDArray[np.int64]

AVAILABLE_COLUMN = "available_actions"


class ServedPolicy:
    """Decides for a batch of observations.

    Input: a data frame, or a mapping of columns, with one row per observation: each feature of the policy's encoder as
    integers or lists of integers (ids as `id_hash` of the natural key, most recent first), and, where the policy may
    not choose among all its actions, `available_actions`: lists of natural keys, or null for all. MLflow, which holds
    calls against the model's signature, takes a data frame, or one row as a mapping.

    Output, one row per observation: `action` (natural key), `propensity` (probability of that action), `probabilities`
    (natural key -> probability, of all actions that could have been taken), `policy_version`. Log the first two and the
    last with the decision.
    """

    def __init__(self, policy: StochasticPolicy) -> None:
        self.policy = policy

    def predict(self, model_input: pd.DataFrame | Mapping[str, Any], params: Mapping[str, Any] | None = None) -> Any:
        """Return a data frame of decisions; the parameter `seed` (0 or more) makes them repeatable.

        Raises:
            PolicyError: columns are missing or don't fit, or a row has no available action that the policy knows.
        """
        columns = {name: list(model_input[name]) for name in model_input.keys()}  # noqa: SIM118  (data frame or dict)
        observation = self._observation(columns)
        available = [_list_or_none(value) for value in columns[AVAILABLE_COLUMN]] if _has_sets(columns) else None
        seed = int((params or {}).get("seed", -1))
        return self._frame(self.policy.act(observation, available, seed=seed if seed >= 0 else None))

    def _observation(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, IntArray]:
        wanted = {column.name: column.length for column in self.policy.encoder.columns}
        if missing := [name for name in wanted if name not in columns]:
            raise PolicyError(f"observations lack the columns {', '.join(missing)}; expected {', '.join(wanted)}")
        return {
            name: _padded(name, columns[name], length) if length else _integers(name, columns[name])
            for name, length in wanted.items()
        }

    def _frame(self, decisions: Decisions) -> Any:
        import pandas as pd  # noqa: PLC0415  (evaluation loads policies too, and needs no data frames)

        names = np.array(self.policy.vocabulary.names, dtype=object)
        return pd.DataFrame(
            {
                "action": decisions.actions,
                "propensity": decisions.propensity,
                "probabilities": [
                    dict(zip(names[row > 0].tolist(), row[row > 0].tolist(), strict=True))
                    for row in decisions.probabilities
                ],
                "policy_version": self.policy.version,
            }
        )


def _load_pyfunc(path: str) -> ServedPolicy:
    """Return the policy of a saved model: what MLflow calls with the model's data folder."""
    return ServedPolicy(load_policy(Path(path)))


def _has_sets(columns: Mapping[str, Sequence[Any]]) -> bool:
    return AVAILABLE_COLUMN in columns and any(_list_or_none(value) is not None for value in columns[AVAILABLE_COLUMN])


def _list_or_none(value: Any) -> list[str] | None:
    """Return a row's list of keys; None for None and NaN (how a data frame holds null), which stand for all actions."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, str):
        raise PolicyError(f"{AVAILABLE_COLUMN}: got the text {value[:40]!r}, expected a list of natural keys")
    return [str(key) for key in value]


def _integers(name: str, values: Sequence[Any]) -> IntArray:
    try:
        array = np.array(values)
        if array.dtype.kind == "f" and np.array_equal(array, np.round(array)):
            array = array.astype(np.int64)
    except ValueError as error:
        raise PolicyError(f"observation column {name}: expected one integer a row ({error})") from error
    if array.ndim != 1 or (array.dtype.kind not in "iu" and len(array)):
        raise PolicyError(f"observation column {name}: got {array.dtype} values, expected one integer a row")
    return array.astype(np.int64)


def _padded(name: str, lists: Sequence[Any], length: int) -> IntArray:
    """Return the lists as an array, cut at the length and padded with 0, `(n, length)`."""
    padded = np.zeros((len(lists), length), dtype=np.int64)
    for row, values in enumerate(lists):
        if values is None or isinstance(values, (str, int, float)):
            raise PolicyError(f"observation column {name}: row {row} is {values!r}, expected a list of integers")
        kept = _integers(name, list(values)[:length])
        padded[row, : len(kept)] = kept
    return padded
