"""d3rlpy's networks without masks, asked the same thing once."""

from __future__ import annotations

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
from d3rlpy.models.torch import ContinuousMeanQFunction, DeterministicPolicy, NormalPolicy, ValueFunction

from rl.learning.updates.forward_scope import SharedForward


class SharedValueFunction(SharedForward, ValueFunction):  # type: ignore[misc]  # d3rlpy ships no types
    """State values."""


class SharedContinuousQFunction(SharedForward, ContinuousMeanQFunction):  # type: ignore[misc]  # d3rlpy ships no types
    """Values of continuous actions."""


class SharedNormalPolicy(SharedForward, NormalPolicy):  # type: ignore[misc]  # d3rlpy ships no types
    """A Gaussian for each observation."""


class SharedDeterministicPolicy(SharedForward, DeterministicPolicy):  # type: ignore[misc]  # d3rlpy ships no types
    """One action for each observation."""
