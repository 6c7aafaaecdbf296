"""Which encoder a candidate's networks begin with."""

from __future__ import annotations

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
from d3rlpy.models.encoders import EncoderFactory
from d3rlpy.models.q_functions import QFunctionFactory

from conf.specs.candidate import Candidate, TrainingSpec
from rl.learning.networks.masked_networks import FeaturesEncoderFactory, MaskedQFunctionFactory
from rl.learning.networks.sequence_encoders import SequenceEncoderFactory
from rl.learning.networks.tied_embeddings import TiedQFunctionFactory


def encoder_factory(candidate: TrainingSpec) -> EncoderFactory:
    """Return d3rlpy's factory of the encoder that each of the candidate's networks begins with."""
    if isinstance(candidate, Candidate) and candidate.encoder.is_sequence:
        return SequenceEncoderFactory(spec=candidate.encoder, hidden_units=candidate.hidden_units)
    return FeaturesEncoderFactory(hidden_units=candidate.hidden_units)


def q_function_factory(candidate: Candidate) -> QFunctionFactory:
    """Return d3rlpy's factory of masked Q-functions, tied to embeddings where the candidate says so."""
    if candidate.encoder.is_output_tied:
        return TiedQFunctionFactory(loss=candidate.loss)
    return MaskedQFunctionFactory(loss=candidate.loss)
