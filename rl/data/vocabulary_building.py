"""The dataset's vocabulary: which actions get a dense index of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from conf.observation_features import id_hash
from rl.data.logged_episodes import IntArray
from rl.errors import DatasetError, NothingToLearn
from rl.policy.vocabulary import OTHER_KEY, Vocabulary


def build_vocabulary(
    training_ids: IntArray,
    all_ids: IntArray,
    action_keys: Mapping[int, str],
    *,
    max_actions: int,
    further: Sequence[str] = (),
) -> Vocabulary:
    """Return the training split's actions by count, most first, ties by ascending key.

    Where the dataset holds further actions, `(other)` stands for them and takes one of the `max_actions` entries.

    Args:
        training_ids: action id of each training row.
        all_ids: action id of each row of the whole dataset.
        action_keys: natural key of each id.
        max_actions: entries at most.
        further: natural keys of actions that can be scored though training never chose them; they take the entries that
            are left, in their order.

    Raises:
        NothingToLearn: fewer than two actions to choose from.
        DatasetError: a natural key that means something else here.
    """
    ids, counts = np.unique(training_ids, return_counts=True)
    ranked = sorted(zip(ids.tolist(), counts.tolist(), strict=True), key=lambda pair: (-pair[1], action_keys[pair[0]]))
    n_distinct = len(np.unique(all_ids))
    has_other = len(ranked) > max_actions or n_distinct > len(ranked)
    kept = [id_ for id_, _ in ranked[: max_actions - has_other]]
    if len(kept) + has_other < 2:
        raise NothingToLearn(
            f"the dataset holds {n_distinct} distinct action(s); expected at least 2 to choose from: a policy that has "
            "no choice can't be better or worse"
        )
    keys = tuple(action_keys[id_] for id_ in kept)
    new = [key for key in further if key not in set(keys)][: max_actions - has_other - len(kept)]
    kept += [id_hash(key) for key in new]
    keys += tuple(new)
    if new:
        has_other = bool(np.setdiff1d(all_ids, np.array(kept, dtype=np.int64)).size)
    if OTHER_KEY in keys:
        raise DatasetError(f"an action is called {OTHER_KEY!r}, which stands for all further actions; rename it")
    if wrong := [key for key, id_ in zip(keys, kept, strict=True) if id_hash(key) != id_]:
        raise DatasetError(f"the action ids of {wrong[:3]} aren't the hashes of their keys; build the partitions again")
    return Vocabulary(keys=keys, ids=tuple(kept), has_other=has_other)


def vocabulary_of_names(names: list[str]) -> Vocabulary:
    """Return the vocabulary whose entries have these names, as `dataset.json` lists them."""
    has_other = bool(names) and names[-1] == OTHER_KEY
    keys = tuple(names[:-1] if has_other else names)
    return Vocabulary(keys=keys, ids=tuple(id_hash(key) for key in keys), has_other=has_other)
