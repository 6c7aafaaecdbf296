"""Figures on what a night's interval doesn't hold: doubts, second opinions, who made the log."""

from __future__ import annotations

from collections.abc import Sequence

from rl.figures.evidence import (
    ClippedGain,
    Confounding,
    Doubts,
    LoggerRow,
    Loggers,
    Opinion,
    Opinions,
    SplitLossFigures,
)
from rl.figures.values import Spread
from rl.night.doubts.confounding import ConfoundingSensitivity
from rl.night.evaluation import NightEvaluation
from rl.night.figures.values import finite
from rl.night.second_look.opinions import SecondOpinion
from rl.ope.overlap.confounding_sensitivity import LARGEST_GAMMA


def doubts_of(night: NightEvaluation) -> Doubts:
    """Return the figures on what intervals leave out, as far as they were asked for."""
    tail, losses = night.evidence.tail, night.evidence.losses
    return Doubts(
        confounding=None if night.confounding is None else _confounding(night.confounding),
        tail_index=None if tail is None else finite(tail.tail_index),
        largest_share=None if tail is None else tail.largest_share,
        top_percent_share=None if tail is None else tail.top_percent_share,
        clipping=tuple(
            ClippedGain(
                clip=one.clip,
                share_clipped=one.share_clipped,
                gain=Spread.of(one),
            )
            for one in night.clipping
        ),
        losses=None
        if losses is None
        else SplitLossFigures(shift=losses.shift, rarest=losses.rarest, n_differing=losses.n_differing),
    )


def opinions_of(opinions: Sequence[SecondOpinion], *, level: float) -> Opinions | None:
    """Return the gains by the gate's estimator and by others; None where no other was asked."""
    rows = tuple(
        Opinion(
            estimator=one.estimator,
            is_gate=one.is_gate,
            gain=None if one.gain is None else Spread.of(one.gain),
            refusal=one.refusal,
        )
        for one in opinions
    )
    return Opinions(rows=rows, level=level) if rows else None


def loggers_of(night: NightEvaluation) -> Loggers | None:
    """Return the candidate's value by policy version, largest part of the log first; None where one made the log."""
    found = night.loggers
    if found is None or found.by_logger is None or found.value is None:
        return None if found is None else Loggers(estimator=found.estimator, refusal=found.refusal)
    by, value = found.by_logger, found.value
    rows = [
        LoggerRow(version=version, n_episodes=n, value=alone, share=share)
        for version, n, alone, share in zip(by.versions, by.n_episodes, by.values, by.shares, strict=True)
    ]
    return Loggers(
        estimator=found.estimator,
        rows=tuple(sorted(rows, key=lambda row: (-row.n_episodes, row.version))),
        value=Spread.of(value),
    )


def _confounding(found: ConfoundingSensitivity) -> Confounding:
    return Confounding(
        flips=found.flips,
        gamma=found.gamma,
        largest_gamma=LARGEST_GAMMA,
        bounded=found.bounded,
        longest_steps=found.longest_steps,
    )
