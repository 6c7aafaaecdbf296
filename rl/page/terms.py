"""What the statistical terms of the review page mean, in plain words, folded away where each first stands."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup, escape

from rl.page.wording import ESTIMATOR_NAMES

MOST_WORDS = 40
_MOST_NAMED = 5

TERMS = {
    "policy value": "What a policy earns on average in one episode (a visit, in most shops), with later rewards "
    "counting a little less. All values on this page are meant so.",
    "behavior policy": "Whatever made the log: the shop's present way of choosing what to show.",
    "interval": "The range in which the true figure probably lies. A 95% interval misses it about once in twenty. The "
    "shorter it is, the more the log can tell.",
    "level": "How rarely a bound may be wrong. At 99%, one night in a hundred has its true figure beyond the bound.",
    "standard error": "How far a figure typically lies from the truth by chance alone. Twice as far is rare.",
    "standard deviation": "How far single episodes typically lie from the average.",
    "estimator": "A way to compute, from a log made by one policy, what another policy would earn. Each rests on "
    "other assumptions; where several agree, trust grows.",
    "importance weight": "How much a logged decision counts for the new policy: more where the policy would choose "
    "the same more often than the log did, less where it would seldom choose it.",
    "importance ratio": "For one logged decision: the new policy's probability of that choice, divided by the log's. "
    "Over many decisions these average 1, if the log holds all that the policy would do.",
    "effective sample size": "After weighting, some count for a lot and most for little. This is how many equally "
    "counting ones would tell as much. If it is small, a few decide.",
    "effective rewarded": "The same count for those who earned something: on how many paying ones the estimate rests, "
    "as if each had paid alike.",
    "overlap": "How much of what the new policy would do was done in the log too. Without overlap the log can't tell "
    "what would happen.",
    "propensity": "The probability with which the shop made the choice that it made. Logged by the shop, or estimated "
    "from the log.",
    "calibration": "Whether estimated probabilities come true as often as they say: of choices given 20%, one in five "
    "should have been made.",
    "corrected gain": "The gain less the luck that helps a candidate pass the gate. Only sums over many promotions "
    "need it; it is no better guess for a single night.",
    "tail index": "How much single, very large amounts decide. At 0 they hardly matter; from about one half on, "
    "averages become unreliable.",
    "pair": "A situation together with the action taken in it. Estimators by pair weight both at once; those by state "
    "weight the situation alone.",
    "bonferroni": "Looking at many groups, one looks good by luck sooner or later. Making each interval wider by this "
    "rule keeps all of them right at once.",
    "total variation distance": "The share of decisions that would have to change to turn one way of choosing into "
    "the other: 0% is the same, 100% nothing in common.",
    "odds": "How many times as likely one choice is as another: odds of 2 to 1 mean twice as likely. Logarithms of "
    "odds can be added up.",
    "integrated gradients": "A way to divide a decision among the features that led to it, by moving from an average "
    "situation to this one and watching what changes the decision.",
    "hit rate": "How often the action that really followed is among the first few guesses.",
    "ndcg": "Like the hit rate, but a right guess counts more the higher it stands in the list.",
    "price of money": "What a unit of money has to bring beyond itself before the policy commits it. It is set so that "
    "a week is expected to keep its budget: the smaller the budget, the higher the price.",
    "temperature": "How freely the policy varies its choices: low sticks to the best one, high spreads over many.",
    "on_policy": "The plain average of what the log earned. It needs no assumption, but tells of the present policy "
    "only.",
    "dm": "Fitted Q evaluation (FQE): a model learns what situations and choices earn, and predicts the new policy's "
    "earnings. It can be wrong without any sign of it.",
    "tis": "Weights each whole episode by how likely the new policy makes it. Right on average, but very noisy for "
    "long episodes.",
    "pdis": "Weights each reward by the decisions up to it. Right on average, less noisy than weighting whole "
    "episodes.",
    "wis": "Weights whole episodes, with weights that add up to one. Steadier, but leans towards the present policy "
    "on small logs.",
    "wpdis": "Weights each reward by the decisions up to it, with weights that add up to one at every step. Steadier, "
    "a little biased on small logs.",
    "dr": "A model's prediction, corrected by weighted rewards where the log shows it to be wrong. Right if either "
    "the model or the probabilities are.",
    "wdr": "As doubly robust, with weights that add up to one. Steadier, a little biased on small logs.",
    "ips": "Weights each decision's reward by how much likelier the new policy would make that decision.",
    "clipped_ips": "As importance sampling, but no weight counts for more than a limit. Steadier, and usually too low.",
    "snips": "As importance sampling, with weights that add up to one, so that the result stays among rewards seen.",
    "sg_ips": "As importance sampling, with large weights shrunk smoothly. Leans towards the present policy's value.",
    "sndr": "As doubly robust, with corrections whose weights add up to one.",
    "switch_dr": "Doubly robust, but where a weight is too large the model alone decides.",
    "dr_os": "Doubly robust, with large weights shrunk towards zero, so that rare choices count least.",
    "mips": "Weights the category of an action in place of the action. Right if actions of one category earn alike.",
    "mis_s": "Weights each reward by how often the new policy would meet that situation.",
    "mis_sa": "Weights each reward by how often the new policy would meet that situation and take that action.",
    "snmis_s": "As importance sampling by state, with weights that add up to one.",
    "snmis_sa": "As importance sampling by state and action, with weights that add up to one.",
    "drl_s": "A model's prediction, corrected by rewards weighted by situation. Right only if the observation holds "
    "all that matters for the future.",
    "drl_sa": "A model's prediction, corrected by rewards weighted by situation and action. Right only if the "
    "observation holds all that matters for the future.",
    "sndrl_s": "As doubly robust by state, with weights that add up to one.",
    "sndrl_sa": "As doubly robust by state and action, with weights that add up to one.",
}
"""Meaning of each term, at most `MOST_WORDS` words; estimators by their name in specs."""


class Explainer:
    """Explains each term once on a page: where it is first asked for."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, *terms: str) -> Markup:
        """Return a folded list of the terms that were not explained before; empty where all were.

        Raises:
            KeyError: a term without an entry.
        """
        new = [term for term in dict.fromkeys(terms) if term not in self._told]
        meanings = [(title(term), TERMS[term]) for term in new]
        self._told.update(new)
        return Markup("").join(_folded(meanings)) if meanings else Markup("")


def title(term: str) -> str:
    """Return the term as a heading."""
    if term in ESTIMATOR_NAMES:
        return ESTIMATOR_NAMES[term]
    return term.upper() if term == "ndcg" else term[0].upper() + term[1:]


def _folded(meanings: list[tuple[str, str]]) -> Iterator[Markup]:
    named = [name if place == 0 else _lowered(name) for place, (name, _) in enumerate(meanings)]
    names = ", ".join(named)
    if len(named) > _MOST_NAMED:
        names = f"{', '.join(named[: _MOST_NAMED - 1])} and {len(named) - _MOST_NAMED + 1} more"
    yield Markup('<details class="terms"><summary>{}: what is this?</summary><dl>').format(names)
    for name, meaning in meanings:
        yield Markup("<dt>{}</dt><dd>{}</dd>").format(escape(name), escape(meaning))
    yield Markup("</dl></details>\n")


def _lowered(name: str) -> str:
    is_name = name[1:2].isupper() or name == "Bonferroni"
    return name if is_name else name[0].lower() + name[1:]
