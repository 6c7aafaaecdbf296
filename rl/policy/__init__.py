"""A trained policy as it is evaluated and served: NumPy, safetensors and JSON, nothing heavier."""

from rl.policy.observation_encoder import ObservationEncoder
from rl.policy.stochastic_policy import Decisions, StochasticPolicy, load_policy
from rl.policy.vocabulary import OTHER_KEY, Vocabulary

__all__ = ["OTHER_KEY", "Decisions", "ObservationEncoder", "StochasticPolicy", "Vocabulary", "load_policy"]
