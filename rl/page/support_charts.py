"""Where the log has never been: bands of actions as bars, and how unevenly the weight falls, as a curve."""

from __future__ import annotations

from dataclasses import dataclass

from rl.figures.evidence import SupportBand, WeightCurve
from rl.page.wording import counted

_FULL = 78  # percent of the line that the longest bar takes; the rest holds its number


@dataclass(frozen=True)
class BandBars:
    """Shares of the log's and the candidate's decisions on the actions of one band, with the bars' widths."""

    label: str
    note: str
    log: float
    candidate: float
    log_width: float
    candidate_width: float


def band_bars(bands: tuple[SupportBand, ...]) -> tuple[BandBars, ...]:
    """Return the bars of bands that hold actions, the never seen first, which is shown even when empty."""
    shown = [band for band in bands if band.n_actions or band.most == 0]
    longest = max((max(band.log, band.candidate) for band in shown), default=0.0) or 1.0
    return tuple(
        BandBars(
            label=_label(band),
            note=counted(band.n_actions, "action"),
            log=band.log,
            candidate=band.candidate,
            log_width=round(_FULL * band.log / longest, 2),
            candidate_width=round(_FULL * band.candidate / longest, 2),
        )
        for band in shown
    )


def weight_points(curve: WeightCurve) -> str:
    """Return the curve as SVG points in a box of 100 by 100."""
    return " ".join(f"{100 * x:.2f},{100 - 100 * y:.2f}" for x, y in zip(curve.shoppers, curve.held, strict=True))


def _label(band: SupportBand) -> str:
    if band.most == 0:
        return "never in the log"
    return f"{band.least:,} times or more" if band.most is None else f"{band.least:,} to {band.most:,} times"
