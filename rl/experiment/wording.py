"""What the page of an experiment says in words."""

from __future__ import annotations

from rl.experiment.figures import ExperimentFigures, OutcomeFigures, PolicyAnswer, PolicyFigures
from rl.ope.effects.first_decisions import REWARD
from rl.page import wording
from rl.page.effect_charts import LEARNER_NAMES

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
    asked = "greedy" if policy.share_asked is None else f"{policy.share_asked:.0%} differently"
    return f"{LEARNER_NAMES[policy.name]}, {asked}"


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
    best = f"{' or '.join(reward.best_arms)} to everybody"
    arms = [one for one in reward.policies if one.kind == "arm"]
    learned = [one for one in reward.policies if one.kind != "arm"]
    told = []
    for group in (arms, learned):
        for answer, word in (("better", "more"), ("worse", "less")):
            if named := [one for one in group if one.answer == answer]:
                told.append(f"Told: {_subject(named)} {_verb(named)} {word} than {best}.")
    if untold := [one for one in learned if one.answer == "cannot_tell"]:
        widths = [one.gain.half_width for one in untold]
        told.append(
            f"Not told: whether {_subject(untold)} {_verb(untold)} more or less than {best}. Gains and losses below "
            f"{wording.number(min(widths))} to {wording.number(max(widths))} {reward.unit} a shopper don't show in "
            f"{wording.counted(figures.n_shoppers, 'shopper')}."
        )
    if alike := [one for one in learned if one.answer == "too_alike"]:
        told.append(
            f"Not judged: {_subject(alike)}, for fewer than {figures.least_share:.0%} of the shoppers treated "
            "differently."
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


def _subject(policies: list[PolicyFigures]) -> str:
    """Return the policies as a sentence names them, a learner's several ones together."""
    named: dict[str, list[str]] = {}
    for policy in policies:
        if policy.kind == "learner":
            way = "greedy" if policy.share_asked is None else f"{policy.share_asked:.0%} differently"
            named.setdefault(f"the {LEARNER_NAMES[policy.name]}", []).append(way)
        else:
            name = policy_name(policy)
            named[name[:1].lower() + name[1:] if policy.kind == "night" else name] = []
    return _joined([f"{name} ({', '.join(ways)})" if ways else name for name, ways in named.items()])


def _verb(policies: list[PolicyFigures]) -> str:
    return "earns" if len({(one.kind, one.name) for one in policies}) == 1 else "earn"


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
