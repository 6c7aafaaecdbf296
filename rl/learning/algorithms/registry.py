"""All algorithms by the name that a scenario's candidates use. A new one is a module and an entry here."""

from __future__ import annotations

from rl.learning.algorithms.algorithm import Algorithm
from rl.learning.algorithms.behavior_cloning import BehaviorCloning
from rl.learning.algorithms.conservative_q_learning import ConservativeQLearning

ALGORITHMS: dict[str, Algorithm] = {"bc": BehaviorCloning(), "discrete_cql": ConservativeQLearning()}
