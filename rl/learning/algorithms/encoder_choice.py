"""Which encoder a candidate's networks begin with."""

from __future__ import annotations

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
from d3rlpy.models.encoders import EncoderFactory

from conf.candidate import TrainingSpec
from rl.learning.masked_networks import FeaturesEncoderFactory


def encoder_factory(candidate: TrainingSpec) -> EncoderFactory:
    """d3rlpy's factory of the encoder that each of the candidate's networks begins with."""
    return FeaturesEncoderFactory(hidden_units=candidate.hidden_units)
