"""What a version would decide before any shopper gets it: logged beside the decisions, and answered to nobody.

Whatever goes wrong here is written down or told, and changes no answer: that is what the shadow is for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from conf.specs.strict_yaml import StrictModel
from rl.errors import ServingError
from rl.serving.decide import ChosenAction
from rl.serving.decision_log import remove_unfinished_line

_NAME = "shadow-{}.jsonl"


@dataclass(frozen=True)
class ShadowChoice:
    """What a version would decide at a position.

    Attributes:
        position: in the slate, from 0.
        choice: None where it knows nothing that may be chosen, or failed.
        failure: kind of the error; empty where there was none.
    """

    position: int
    choice: ChosenAction | None
    failure: str = ""


class ShadowLine(StrictModel):
    """A line of the log; it names no shopper.

    decision_id: of the decision that was answered; its slate's where the shop itself decided. policy_version: that
    would decide. action, propensity: its decision; None where it made none. served: the action that was answered; None
    where the shop itself decided. failure: kind of the error that kept it from deciding.
    """

    decision_id: str
    policy_version: str
    action: str | None = None
    propensity: float | None = None
    served: str | None = None
    failure: str = ""

    @property
    def is_other(self) -> bool | None:
        """Whether another action would have been answered; None where one of both isn't known."""
        return None if self.action is None or self.served is None else self.action != self.served


class ShadowLog:
    """Lines by business day, beside the decision log.

    Attributes:
        problem: why lines can't be written at the moment; empty where the last ones were.
    """

    def __init__(self, folder: Path) -> None:
        """Take the decision log's folder, and remove what a killed service left of an unfinished line."""
        self._folder, self.problem = folder, ""
        with suppress(OSError):  # the next line says so
            for path in folder.glob(_NAME.format("*")):
                remove_unfinished_line(path)

    def append(self, day: date, lines: Sequence[ShadowLine]) -> None:
        """Write lines of a day, or keep in mind why that isn't possible: nobody waits for them."""
        text = "".join(f"{json.dumps(line.model_dump(exclude_defaults=True))}\n" for line in lines)
        path = self._folder / _NAME.format(day)
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            with suppress(OSError):  # half a line would spoil the next one
                remove_unfinished_line(path)
            self.problem = f"{self._folder}: the shadow's decisions can't be written ({error.strerror or error})"
        else:
            self.problem = ""


def shadow_lines_of(folder: Path, day: date) -> Iterator[ShadowLine]:
    """Yield a day's lines; none where there is no such file. A last line that a kill cut short is left out.

    Raises:
        ServingError: a line that no service wrote.
    """
    path = folder / _NAME.format(day)
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith("\n"):
                return
            try:
                yield ShadowLine.model_validate_json(line)
            except ValueError as error:
                raise ServingError(
                    f"{path}: line {number} is no decision of a shadow; put back the file that the service wrote"
                ) from error
