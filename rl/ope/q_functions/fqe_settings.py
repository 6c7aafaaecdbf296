"""How Q-functions are fitted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from rl.errors import EvaluationError


@dataclass(frozen=True)
class FqeSettings:
    """How the Q-function is fitted.

    Attributes:
        method: `neural`, or `linear` (closed-form ridge per action around a shared ridge, iterated; a fast check, and
            exact on one-hot features).
        ridge: penalty of the linear fit on an action's departure from the fit shared by all actions.
        hidden: widths of the hidden layers.
        n_updates: gradient steps in all.
        n_rounds: refreshes of the target network; a reward travels one step back per round.
        batch_size: rows per gradient step.
        learning_rate: at the start; it falls along a cosine to a hundredth.
        seed: of the initial weights and the order of rows.
        device: for torch.
        max_probability_cells: probabilities at next observations are kept for all rows up to this many, over all
            policies fitted together, else computed again per batch.
        networks: where several policies are fitted together, `separate` hidden layers for each (the same numbers as one
            fit after the other) or layers `shared` by all, with a head each.
        action_attributes: what is known of each action, by which neural fits value it, `(n_actions, n_attributes)`;
            None gives each action an output of its own.
    """

    method: Literal["neural", "linear"] = "neural"
    ridge: float = 1.0
    hidden: tuple[int, ...] = (64, 64)
    n_updates: int = 2000
    n_rounds: int = 40
    batch_size: int = 1024
    learning_rate: float = 3e-3
    seed: int = 0
    device: str = "cpu"
    max_probability_cells: int = 128_000_000
    networks: Literal["separate", "shared"] = "separate"
    action_attributes: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("n_updates", "n_rounds", "batch_size")}
        found = [f"{name} is {count}, expected at least 1" for name, count in counts.items() if count < 1]
        if not self.ridge >= 0:
            found.append(f"ridge is {self.ridge}, expected 0 or more")
        if found:
            raise EvaluationError("no Q-function can be fitted so: " + "; ".join(found))
