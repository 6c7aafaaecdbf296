"""The training split as a candidate learns from it: in memory, or in files where it is larger than may be held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import structlog

from rl.data.dataset import Dataset
from rl.learning.memory_errors import FROM_FILES, clear_memory_errors
from rl.learning.replay.replay_columns import ReplayColumns, columns_of
from rl.learning.replay.replay_store import write_store
from rl.learning.replay.ruled_rows import Ruling

# Of what is allowed, so much is for the pages of the files that training has just read; the rest is for one date's rows
# while the files are written, and for networks, batches and validation episodes afterwards.
_SHARE_OF_FILES = 1 / 4


@contextmanager
def training_split(dataset: Dataset, *, n_transitions: int, memory_bytes: int, folder: Path) -> Iterator[ReplayColumns]:
    """Yield what the shop's rules leave of the training split, as columns in memory or in files.

    Rows and their order are the same either way, so what is learned from them is the same to the bit. Of the episodes
    nothing but the columns stays in memory.

    Args:
        dataset: of which nothing needs to have been read.
        n_transitions: rows of the split.
        memory_bytes: that training may take.
        folder: for the files, which are gone afterwards.

    Raises:
        TrainingError: less memory than was allowed.
    """
    ruling = Ruling.of(dataset)
    needed = n_transitions * bytes_per_transition(dataset)
    if needed <= memory_bytes:
        with clear_memory_errors("training", f"reading {n_transitions} transitions", remedy=FROM_FILES):
            columns = columns_of(dataset.to_logged_episodes("train"), ruling)
        yield columns
        return
    structlog.get_logger().info(
        "training from files", n_transitions=n_transitions, needed_mib=needed >> 20, allowed_mib=memory_bytes >> 20
    )
    try:
        yield write_store(
            folder,
            dataset.episodes_by_date("train"),
            memory_bytes=max(1, int(_SHARE_OF_FILES * memory_bytes)),
            ruling=ruling,
        )
    finally:
        rmtree(folder, ignore_errors=True)


def bytes_per_transition(dataset: Dataset) -> int:
    """Return about how many bytes a row takes at the height: as read, in the split, and encoded, now and next."""
    features = dataset.pipeline.scenario.observation.features
    n_integers = sum(feature.length or 1 for feature in features)
    return 2 * (2 * 8 * n_integers + 4 * dataset.encoder.n_features)
