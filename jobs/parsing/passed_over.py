"""Elements of lists that a source's paths pass over: `items[0].id` reads the first alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conf.specs.json_paths import Step, is_path, read_path
from jobs.parsing.record_cutting import read_object, value_at


class PassedOver:
    """Finds the lists of which the columns read single elements, and whether a line's hold others.

    A path through `[key=word]` asks for one element by what it is, and so passes over none.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        """Take the mapped columns of JSON lines or Parquet rows."""
        whole, places = set[tuple[Step, ...]](), dict[tuple[Step, ...], set[int]]()
        for path in (read_path(name) for name in columns if is_path(name)):
            if path.list_steps is not None:
                whole.add(path.list_steps)
            steps = path.steps if path.list_steps is None else path.list_steps
            for number, step in enumerate(steps):
                if isinstance(step, int):
                    places.setdefault(steps[:number], set()).add(step)
        self._places = {steps: read for steps, read in places.items() if steps not in whole}

    def lists_of(self, line: str) -> Iterator[str]:
        """Yield the path of each list in a line that has elements which no column reads."""
        found = read_object(line) if self._places else None
        for steps, read in self._places.items() if found is not None else ():
            elements = value_at(found, steps)
            if isinstance(elements, list) and set(range(len(elements))) - read:
                yield _written(steps)


def passed_over_line(path: str, n_lines: int) -> str:
    """Return what to say of a list, up to what each element becomes."""
    return (
        f"{n_lines} lines hold further elements of {path} that no column reads; {path}[] instead of {path}[0] makes one"
    )


def _written(steps: Sequence[Step]) -> str:
    return "".join(map(_step, steps)).removeprefix(".")


def _step(step: Step) -> str:
    if isinstance(step, str):
        return f".{step}"
    return f"[{step}]" if isinstance(step, int) else f"[{step[0]}={step[1]}]"
