"""All algorithms by the name that candidates use. A new one is a module and an entry here."""

from __future__ import annotations

from rl.learning.algorithms.algorithm import Algorithm
from rl.learning.algorithms.batch_constrained_q_learning import BatchConstrainedQLearning
from rl.learning.algorithms.behavior_cloning import BehaviorCloning
from rl.learning.algorithms.conservative_q_learning import ConservativeQLearning
from rl.learning.algorithms.double_q_learning import DoubleQLearning, NeuralFittedQ

# Over a set of actions: what a scenario's candidates may name.
ALGORITHMS: dict[str, Algorithm] = {
    "bc": BehaviorCloning(),
    "discrete_cql": ConservativeQLearning(),
    "discrete_bcq": BatchConstrainedQLearning(),
    "double_dqn": DoubleQLearning(),
    "nfq": NeuralFittedQ(),
}
