"""What the page of an experiment says in words."""

from __future__ import annotations

from rl.experiment.figures import CurveLine, ExperimentFigures, OutcomeFigures, PolicyAnswer, PolicyFigures
from rl.ope.effects.first_decisions import REWARD
from rl.page import wording

_LEARNERS = {"t_learner": "T-learner", "dr_learner": "DR-learner"}
_ANSWERS: dict[PolicyAnswer, str] = {
    "better": "better",
    "worse": "worse",
    "cannot_tell": "can't be told",
    "too_alike": "not judged",
}


def policy_name(policy: PolicyFigures) -> str:
    """Return what the page calls a policy."""
    if policy.kind == "arm":
        return f"{policy.name} to everybody"
    if policy.kind == "night":
        return f"The night's policy ({policy.name})"
    asked = "as it would have it" if policy.share_asked is None else f"{wording.share(policy.share_asked)} differently"
    return f"{_LEARNERS[policy.name]}, {asked}"


def line_name(line: CurveLine) -> str:
    """Return what the page calls a curve."""
    return f"{_LEARNERS[line.name]}'s order" if line.kind == "learner" else f"{line.name} to a random share"


def share_name(policy: PolicyFigures) -> str:
    """Return how many the policy treats differently from the best arm, in words."""
    return "the best arm itself" if policy.share_different < 1e-9 else wording.share(policy.share_different)


def outcome_name(outcome: OutcomeFigures) -> str:
    """Return the outcome with its unit."""
    name = "Reward" if outcome.name == REWARD else outcome.name
    return f"{name}, {outcome.unit} a shopper"


def answer_word(answer: PolicyAnswer) -> str:
    """Return the answer as a word or two."""
    return _ANSWERS[answer]


def told_sentences(figures: ExperimentFigures) -> tuple[str, ...]:
    """Return what could and what couldn't be told of the reward, in whole sentences, the arms first."""
    reward = figures.outcomes[0]
    best = " or ".join(reward.best_arms)
    judged = [one for one in reward.policies if one.answer != "too_alike"]
    learned = [one for one in judged if one.kind != "arm"]
    told = []
    worse = [one.name for one in judged if one.kind == "arm" and one.answer == "worse"]
    if worse:
        told.append(f"Told: {_joined(worse)} to everybody earns less than {best} to everybody.")
    for answer, word in (("better", "more"), ("worse", "less")):
        named = [policy_name(one) for one in learned if one.answer == answer]
        if named:
            told.append(f"Told: {_joined(named)} earns {word} than {best} to everybody.")
    untold = [one for one in learned if one.answer == "cannot_tell"]
    if untold:
        widths = [one.gain.half_width for one in untold]
        told.append(
            f"Not told: whether {_joined([policy_name(one) for one in untold])} earns more or less than {best} to "
            f"everybody. Gains and losses below {wording.number(min(widths))} to {wording.number(max(widths))} "
            f"{reward.unit} a shopper don't show in {wording.count(figures.n_shoppers)} shoppers."
        )
    if alike := [policy_name(one) for one in reward.policies if one.answer == "too_alike" and one.share_different > 0]:
        told.append(
            f"Not judged: {_joined(alike)}, which treats fewer than {wording.share(figures.least_share)} of the "
            "shoppers differently."
        )
    return tuple(told)


def resolution_sentence(figures: ExperimentFigures) -> str:
    """Return, of the smallest share, how large a difference the experiment can tell at best."""
    reward = figures.outcomes[0]
    first = reward.resolution[0]
    of_best = "" if first.half_width_share is None else f", {wording.share(first.half_width_share)} of what it earns"
    return (
        f"A policy that treats {wording.share(first.share)} of the shoppers differently from the best arm is known to "
        f"within ±{wording.number(first.half_width)} {reward.unit} a shopper{of_best}: two good policies, which differ "
        "by less, can't be ranked."
    )


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
