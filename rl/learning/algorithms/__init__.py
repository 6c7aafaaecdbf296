"""The algorithms a candidate may name: one module each, all of them in `registry`."""

from rl.learning.algorithms.algorithm import Algorithm
from rl.learning.algorithms.registry import ALGORITHMS

__all__ = ["ALGORITHMS", "Algorithm"]
