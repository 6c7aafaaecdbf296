"""All algorithms by the name that candidates use. A new one is a module and an entry here."""

from __future__ import annotations

from rl.learning.algorithms.algorithm import Algorithm, ContinuousAlgorithm
from rl.learning.algorithms.awac import AdvantageWeightedActorCritic
from rl.learning.algorithms.batch_constrained_q_learning import BatchConstrainedQLearning
from rl.learning.algorithms.behavior_cloning import BehaviorCloning
from rl.learning.algorithms.conservative_q_learning import ConservativeQLearning
from rl.learning.algorithms.continuous_cql import ContinuousConservativeQLearning
from rl.learning.algorithms.continuous_iql import ContinuousImplicitQLearning
from rl.learning.algorithms.discrete_implicit_q_learning import DiscreteImplicitQLearning
from rl.learning.algorithms.discrete_soft_actor_critic import DiscreteSoftActorCritic
from rl.learning.algorithms.double_q_learning import DoubleQLearning, NeuralFittedQ
from rl.learning.algorithms.td3_plus_bc import TD3WithCloning

# Over a set of actions: what a scenario's candidates may name.
ALGORITHMS: dict[str, Algorithm] = {
    "bc": BehaviorCloning(),
    "discrete_cql": ConservativeQLearning(),
    "discrete_bcq": BatchConstrainedQLearning(),
    "double_dqn": DoubleQLearning(),
    "nfq": NeuralFittedQ(),
    "discrete_sac": DiscreteSoftActorCritic(),
    "discrete_iql": DiscreteImplicitQLearning(),
}

# Over order quantities and discounts, scaled to lie between -1 and 1; trained, not served yet.
CONTINUOUS_ALGORITHMS: dict[str, ContinuousAlgorithm] = {
    "cql": ContinuousConservativeQLearning(),
    "iql": ContinuousImplicitQLearning(),
    "td3_plus_bc": TD3WithCloning(),
    "awac": AdvantageWeightedActorCritic(),
}
