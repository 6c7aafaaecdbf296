"""dataset.json: what a prepared dataset is made of, written by `prepare` and read by every later step."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from conf.paths import Run
from conf.publication import write_atomically
from conf.specs.strict_yaml import StrictModel
from rl.data.splits import TimeSpan
from rl.errors import DatasetError

DATASET_FILE = "dataset.json"


class SplitDescription(StrictModel):
    """A split: episodes that start from `start` up to, not including, `end` (ISO, UTC), and how many there are.

    `lots` are those of its shoppers, where shoppers are divided in place of time.
    """

    start: str
    end: str
    lots: tuple[int, int] | None = None
    n_episodes: int
    n_transitions: int

    @property
    def interval(self) -> TimeSpan:
        return TimeSpan.from_json({"start": self.start, "end": self.end, "lots": self.lots})


class DatasetDescription(StrictModel):
    """A prepared dataset.

    Attributes:
        source: its name.
        scenario: its name.
        date: last business date whose deliveries count.
        dataset_digest: of everything that it is made from.
        schema_version: of its tables.
        spec_hash: of what shapes the data in both specs.
        key_id: of the pseudonym key.
        is_logged: whether its decisions were logged.
        embargo: between splits, in words; None where an earlier release prepared it.
        partitions: content hash by date.
        vocabulary: names of the actions, in the order of their dense index.
        splits: by name.
        counts: of rows, episodes, actions and what was left out.
        counters: what the builds counted, over all partitions.
        candidates: to train, in order.
    """

    source: str
    scenario: str
    date: str
    dataset_digest: str
    schema_version: int
    spec_hash: str
    key_id: str
    is_logged: bool
    embargo: str | None = None
    partitions: dict[str, str]
    vocabulary: tuple[str, ...]
    splits: dict[str, SplitDescription]
    counts: dict[str, int]
    counters: dict[str, int]
    candidates: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write dataset.json to the folder, replacing it atomically."""
        write_atomically(folder / DATASET_FILE, self.model_dump_json(indent=1))


def read_description(run: Run) -> DatasetDescription:
    """Return the description in the run's dataset.json.

    Raises:
        DatasetError: it is missing or can't be read.
    """
    path = run.dataset / DATASET_FILE
    try:
        return DatasetDescription.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; run prepare for {run.date} first") from error
    except (ValidationError, ValueError) as error:
        raise DatasetError(f"{path}: not a dataset of this version ({error}); run prepare again") from error
