"""The rule that turns figures into the answer, and the plain sentence at the top.

It decides, in this order:

1. cannot tell, where the log can't be weighted, or too few shoppers speak for either rule (the gate's floors);
2. pays, where the one-step rule's share of the look-ahead rule's value lies below 1 by its whole interval, and actions
   are seen to change the return that follows;
3. does not pay, where that share's interval lies above 1 less the margin (whatever looking ahead adds is too little),
   and the log is clear enough to say so: the lower bound of the one-step rule's own gain over today's policy is at
   least three fifths of that gain. A log that can't see what actions earn at once can't see what they earn later, and
   models fitted to it shrink both to nothing;
4. cannot tell, else.

Each one-sided bound of a 95% interval errs in one log of forty: so often "pays" is said where the learned look-ahead
rule adds nothing, and "does not pay" where it adds the margin or more. That is about rules as they are learned from
this log; a rule that a longer log would teach may add more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import LoggedEpisodes
from rl.page import wording
from rl.worth.findings import Answer, Comparison, FutureEffect
from rl.worth.wording import p_value

KNOWN_SHARE = 0.6
"""The share of the one-step rule's gain that its lower bound must reach before "does not pay" is said."""

CAVEAT = (
    "Both rules lean gently away from today's choices, as far as the log can judge; rules that go further, or see more "
    "than the observation, were not judged."
)


@dataclass(frozen=True)
class WorthVerdict:
    """The answer, its sentence, and reasons that a non-specialist can read."""

    answer: Answer
    sentence: str
    reasons: tuple[str, ...]


def judge_worth(
    comparison: Comparison,
    future: FutureEffect,
    *,
    is_enough: bool,
    is_estimated: bool = False,
) -> WorthVerdict:
    """Return the answer of a log that can be weighted.

    Args:
        comparison: values of the two rules.
        future: whether actions change the future return.
        is_enough: effective sample size and rewarded units reach the gate's floors for both rules.
        is_estimated: propensities were estimated, so that all of it rests on that model.
    """
    reached = comparison.share_reached
    if not is_enough:
        return _too_few(comparison)
    if reached.value is None or reached.lower is None or reached.upper is None:
        return WorthVerdict(
            "cannot_tell",
            "This log cannot tell whether looking ahead pays, because the look-ahead rule's value isn't positive.",
            (),
        )
    reasons = (_future_reason(future), CAVEAT, *(_estimated_reason() if is_estimated else ()))
    found = f"{wording.share(reached.value)} ({_interval(comparison)})"
    if reached.upper < 1 and future.response.is_moved:
        gain = wording.share(1 / reached.value - 1)
        sentence = (
            f"On this log, looking ahead pays: a rule that counts what follows would earn {gain} more than one that "
            f"doesn't; the one-step rule reaches {found} of its value."
        )
        return WorthVerdict("pays", sentence, reasons)
    if reached.lower > 1 - comparison.margin and is_clear(comparison):
        sentence = (
            f"On this log, looking ahead does not pay: a one-step rule reaches {found} of what the look-ahead rule "
            "reached. Start with a contextual bandit."
        )
        return WorthVerdict("does_not_pay", sentence, reasons)
    sentence = (
        f"This log cannot tell whether looking ahead pays: a one-step rule reaches {found} of what the look-ahead rule "
        f"reached, and {_what_is_open(comparison, future)}."
    )
    return WorthVerdict("cannot_tell", sentence, reasons)


def is_clear(comparison: Comparison) -> bool:
    """Return whether the one-step rule's own gain is positive and known to within two fifths of itself."""
    gain = next(figure.gain for figure in comparison.policies if figure.policy == "one_step")
    if gain is None or gain.value is None or gain.lower is None:
        return False
    return gain.value > 0 and gain.lower >= KNOWN_SHARE * gain.value


def refuse_worth(reason: str, prediction: Comparison | None) -> WorthVerdict:
    """Return the answer of a log that can't be weighted, whatever a model predicts."""
    reasons = [
        "What would help: decide a share of impressions at random among what is available, and log every "
        "decision with the probability it was made with."
    ]
    if prediction is not None and prediction.share_reached.value is not None:
        reasons.insert(
            0,
            f"A model predicts that a one-step rule reaches {wording.share(prediction.share_reached.value)} of what "
            "the look-ahead rule reaches. That is a prediction, not an estimate: nothing in this log checks it.",
        )
    return WorthVerdict(
        "cannot_tell", f"This log cannot tell whether looking ahead pays, because {reason}.", tuple(reasons)
    )


def nothing_to_assess(episodes: LoggedEpisodes) -> WorthVerdict | None:
    """Return the answer of a log in which nothing was chosen or nothing earned; None where both were."""
    if len(np.unique(episodes.action)) < 2:
        return _nothing(
            f"all its {wording.count(episodes.n_transitions)} decisions took the same action: there is nothing to "
            "compare it with",
            "Looking ahead is about choosing: days on which the shop decides now this way, now that would help.",
        )
    if not episodes.reward.any():
        return _nothing(
            f"nothing was earned in it: all its {wording.count(episodes.n_transitions)} decisions have reward 0",
            "Check which events the scenario counts as reward, or wait for days with rewarded shoppers.",
        )
    return None


def _nothing(reason: str, advice: str) -> WorthVerdict:
    sentence = f"This log cannot tell whether looking ahead pays, because {reason}."
    return WorthVerdict("cannot_tell", sentence, (advice,))


def _too_few(comparison: Comparison) -> WorthVerdict:
    figures = [figure for figure in comparison.policies if figure.policy != "behavior"]
    size = min(figure.effective_sample_size or 0.0 for figure in figures)
    rewarded = min(figure.effective_rewarded or 0.0 for figure in figures)
    sentence = (
        "This log cannot tell whether looking ahead pays, because too few shoppers speak for it: effectively "
        f"{wording.count(size)}, of whom {wording.count(rewarded)} rewarded, with "
        f"{wording.share(comparison.share_handed)} of the decisions handed over."
    )
    return WorthVerdict("cannot_tell", sentence, ("More nights of logs, or more exploration, would help.",))


def _future_reason(future: FutureEffect) -> str:
    chance = f"p {p_value(future.response.p_value)}"
    if future.response.is_moved:
        return (
            f"Actions change the return that follows after them ({chance}): by {wording.share(future.size.value)} of "
            "the mean return, standard deviation over usual choices."
        )
    return f"No effect of actions on the return that follows after them was seen ({chance})."


def _estimated_reason() -> tuple[str, ...]:
    return ("The logger's probabilities were estimated: if it saw what the observation doesn't hold, all this is off.",)


def _what_is_open(comparison: Comparison, future: FutureEffect) -> str:
    reached = comparison.share_reached
    is_below = reached.upper is not None and reached.upper < 1
    if is_below and not future.response.is_moved:
        return "no effect of actions on the future return was seen that would explain a difference"
    if reached.lower is not None and reached.lower > 1 - comparison.margin:
        return "not even the one-step rule's own gain over today's policy is known to within two fifths of itself"
    return f"neither 100% nor a loss of more than {wording.share(comparison.margin)} can be ruled out"


def _interval(comparison: Comparison) -> str:
    reached = comparison.share_reached
    return (
        f"{wording.level(comparison.level)} interval {wording.share(reached.lower)} to {wording.share(reached.upper)}"
    )
