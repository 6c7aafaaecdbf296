"""What must hold of the transitions row by row, asked of the files as they were written, while they are hashed.

A date's rows lie in one file, and with them whole episodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.specs.scenario import Pipeline
from jobs.publishing.arrow_hash import SEED, HashArray, fold, row_marks
from jobs.publishing.row_cells import codes
from jobs.publishing.written_hashes import Inspector

# Name of each check over rows -> what is wrong with the rows it counts, and what was expected.
ROW_CHECKS: dict[str, str] = {
    "exactly_one_end": "episodes' last rows without exactly one of terminal and timeout",
    "no_end_before_the_last_step": "rows before an episode's last step with terminal or timeout set",
    "steps_contiguous": "rows whose step isn't their place in the episode, counted from 0",
    "next_observation_follows": "rows whose next_observation isn't the next row's observation",
    "propensity_fits_source": "rows whose propensity isn't in (0, 1] where logged, and null where not",
    "action_was_available": "rows whose action isn't in the availability set the decision names",
}

_OBSERVATIONS = ("observation", "next_observation")
_COLUMNS = (
    "episode_id",
    "step",
    "terminal",
    "timeout",
    "propensity",
    "propensity_source",
    "availability_id",
    "action_key",
)

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RowRules:
    """What the checks need to know.

    Attributes:
        may_be_logged: whether decisions bring their propensities.
        offers: hashes of (availability id, action), ascending, of `hash_offers`; None where actions aren't held
            against sets.
    """

    may_be_logged: bool
    offers: HashArray | None


def row_rules(pipeline: Pipeline, sets: pa.Table | None) -> RowRules:
    """Return what the checks need to know.

    Args:
        pipeline: the scenario on its source.
        sets: availability_id and actions; None where the source has none, so that no action was available.
    """
    if pipeline.scenario.action.mask == "none":
        return RowRules(pipeline.is_logged, None)
    empty = np.zeros(0, dtype=np.uint64)
    return RowRules(pipeline.is_logged, empty if sets is None or not sets.num_rows else hash_offers(sets))


def hash_offers(sets: pa.Table) -> HashArray:
    """Return a hash of each action with its set's id, ascending and each once."""
    lists = sets["actions"].combine_chunks()
    ids = sets["availability_id"].combine_chunks().take(pc.list_parent_indices(lists))
    return np.unique(_offer_hashes(ids, lists.flatten()))


def row_inspector(rules: RowRules) -> Inspector:
    """Return what looks at written files by the checks."""
    return Inspector(tuple(ROW_CHECKS), lambda: RowInspection(rules))


class RowInspection:
    """Looks at the rows of one file: whole episodes. Of observations a number is kept, since all would be sorted."""

    def __init__(self, rules: RowRules) -> None:
        self._rules = rules
        self._kept: list[pa.Table] = []
        self._marks: dict[str, list[HashArray]] = {name: [] for name in _OBSERVATIONS}

    def see(self, rows: pa.RecordBatch, hashed: Mapping[str, list[pa.Array]]) -> None:
        """Look at some more rows."""
        self._kept.append(pa.table({name: rows.column(name) for name in _COLUMNS}))
        for name in _OBSERVATIONS:
            self._marks[name].append(row_marks(hashed[name]))

    def violations(self) -> dict[str, int]:
        """Return how many rows break each check."""
        if not self._kept:
            return dict.fromkeys(ROW_CHECKS, 0)
        rows = pa.concat_tables(self._kept).combine_chunks()
        observation, following = (np.concatenate(self._marks[name]) for name in _OBSERVATIONS)
        found = _end_violations(rows, observation, following)
        found["propensity_fits_source"] = _misfit_propensities(rows, may_be_logged=self._rules.may_be_logged)
        found["action_was_available"] = np.zeros(len(rows), dtype=np.bool_)
        if self._rules.offers is not None:
            offered = _offer_hashes(rows["availability_id"].combine_chunks(), rows["action_key"].combine_chunks())
            is_known = np.asarray(rows["availability_id"].is_valid()) & np.asarray(rows["action_key"].is_valid())
            found["action_was_available"] = ~(np.isin(offered, self._rules.offers) & is_known)
        return {name: int(found[name].sum()) for name in ROW_CHECKS}


def _end_violations(rows: pa.Table, observation: HashArray, next_observation: HashArray) -> dict[str, BoolArray]:
    """Return which rows break the checks of an episode's steps and ends, in the order of the steps."""
    episode, step = codes(rows["episode_id"]), np.asarray(rows["step"]).astype(np.int64)
    order = np.lexsort([step, episode])
    episode, step = episode[order], step[order]
    is_first = np.append(True, episode[1:] != episode[:-1])
    is_last = np.append(is_first[1:], True)
    places = np.arange(len(step))
    place = places - np.maximum.accumulate(np.where(is_first, places, 0))
    terminal, timeout = (np.asarray(rows[name]).astype(np.bool_)[order] for name in ("terminal", "timeout"))
    follows = np.append(observation[order][1:], np.uint64(0)) == next_observation[order]
    return {
        "exactly_one_end": is_last & (terminal == timeout),
        "no_end_before_the_last_step": ~is_last & (terminal | timeout),
        "steps_contiguous": step != place,
        "next_observation_follows": ~is_last & ~follows,
    }


def _misfit_propensities(rows: pa.Table, *, may_be_logged: bool) -> BoolArray:
    """Return which rows have a propensity that doesn't fit where it is said to come from."""
    source, propensity = rows["propensity_source"], rows["propensity"]
    is_logged, is_none = (np.asarray(pc.equal(source, word)) for word in ("logged", "none"))
    is_given = np.asarray(propensity.is_valid())
    is_share = np.asarray(pc.fill_null(pc.and_(pc.greater(propensity, 0), pc.less_equal(propensity, 1)), False))
    misfit: BoolArray = np.where(is_logged, ~is_share | (not may_be_logged), is_given | ~is_none)
    return misfit


def _offer_hashes(ids: pa.StringArray, actions: pa.StringArray) -> HashArray:
    return fold(fold(np.full(len(ids), SEED, dtype=np.uint64), ids), actions)


def explain(where: str, by_date: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return one line for each violation: `transitions/recommendation date=2026-01-02: 14 episodes' last rows ...`."""
    return [
        f"{where} date={day}: {n} {ROW_CHECKS[name]}"
        for day in sorted(by_date)
        for name, n in by_date[day].items()
        if n
    ]
