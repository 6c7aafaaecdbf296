"""The algorithms a candidate may name: one module each, all of them in `registry`."""

from rl.learning.algorithms.algorithm import Algorithm, ContinuousAlgorithm
from rl.learning.algorithms.registry import ALGORITHMS, CONTINUOUS_ALGORITHMS

__all__ = ["ALGORITHMS", "CONTINUOUS_ALGORITHMS", "Algorithm", "ContinuousAlgorithm"]
