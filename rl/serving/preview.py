"""What a rule would change, before it is in force: tomorrow's decisions of some shoppers, under two sets of rules.

Probabilities, not draws: what differs between the two is the rules' doing alone.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

import numpy as np

from conf.kernel.arrays import IntArray
from conf.specs.scenario import Pipeline
from rl.policy import StochasticPolicy
from rl.policy.action_rules import ActionRules
from rl.policy.stochastic_policy import BoolArray, FloatArray
from rl.serving.decide import offer_of
from rl.serving.histories import History
from rl.serving.observation import Moment, ObservationMaker

NOBODY = ""
"""In place of an action, where the rules leave nothing."""

COLUMNS = ("shopper", "before", "before_probability", "after", "after_probability", "moved")


@dataclass(frozen=True)
class Sample:
    """Shoppers whose first decision of a day is looked at.

    Attributes:
        time_us: when they come, UTC microseconds.
        histories: what is known of each, by pseudonym.
        actions: natural keys of what is available to them.
    """

    time_us: int
    histories: Mapping[str, History]
    actions: Sequence[str]


@dataclass(frozen=True)
class Preview:
    """Decisions under two sets of rules.

    Attributes:
        shoppers: pseudonyms.
        actions: natural keys.
        before: probability of each action, `(n_shoppers, n_actions)`; a row of zeros where nothing is left.
        after: the same under the other rules.
    """

    shoppers: tuple[str, ...]
    actions: tuple[str, ...]
    before: FloatArray
    after: FloatArray

    @property
    def moved(self) -> FloatArray:
        """Share of each shopper's decisions that become others, from 0 to 1, `(n_shoppers,)`."""
        return np.asarray(np.abs(self.after - self.before).sum(axis=1) / 2)

    def csv_text(self) -> str:
        """Return a row for each shopper, `COLUMNS`: their likeliest action before and after."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        likeliest = [self._likeliest(self.before), self._likeliest(self.after)]
        for place, shopper in enumerate(self.shoppers):
            found = [part for one in likeliest for part in one[place]]
            writer.writerow([shopper, *found, f"{self.moved[place]:.4f}"])
        return text.getvalue()

    def table(self, n_rows: int = 20) -> str:
        """Return, as text, the actions whose share of all decisions changes most, with the share before and after.

        The change is in percentage points: from 2% to 3% is +1 point.
        """
        before, after = self.before.mean(axis=0), self.after.mean(axis=0)
        order = sorted(range(len(self.actions)), key=lambda one: (-abs(after[one] - before[one]), self.actions[one]))
        width = max([len("action"), *(len(self.actions[one]) for one in order[:n_rows])])
        lines = [f"{'action':<{width}}  {'before':>8}  {'after':>8}  {'change in points':>16}"]
        for one in order[:n_rows]:
            change = f"{100 * (after[one] - before[one]):+.2f}"
            lines.append(f"{self.actions[one]:<{width}}  {before[one]:>8.2%}  {after[one]:>8.2%}  {change:>16}")
        if n_further := len(order) - len(order[:n_rows]):
            lines.append(f"and {n_further} more that change less")
        return "\n".join(lines)

    def _likeliest(self, probabilities: FloatArray) -> list[tuple[str, str]]:
        best = probabilities.argmax(axis=1)
        return [
            (self.actions[action], f"{row[action]:.4f}") if row[action] > 0 else (NOBODY, "0.0000")
            for row, action in zip(probabilities, best.tolist(), strict=True)
        ]


def preview(
    pipeline: Pipeline, policy: StochasticPolicy, sample: Sample, *, before: ActionRules, after: ActionRules
) -> Preview:
    """Return the policy's decisions of the sample under two sets of rules, each beside those that the policy carries.

    Args:
        pipeline: whose observations are made.
        policy: that decides; where it knows none of what is left, the choice is uniform, as in service.
        sample: who comes, and what is there for them.
        before: rules in force.
        after: rules to look at.
    """
    shoppers = tuple(sample.histories)
    moments = [Moment(sample.time_us, f"preview-{one}", (), sample.histories[one]) for one in shoppers]
    observation = ObservationMaker(pipeline).observe(moments)
    keys = tuple(dict.fromkeys(sample.actions))
    found = [_probabilities(policy, observation, keys, one.joined(policy.rules)) for one in (before, after)]
    return Preview(shoppers, keys, *found)


def _probabilities(
    policy: StochasticPolicy, observation: Mapping[str, IntArray], keys: tuple[str, ...], rules: ActionRules
) -> FloatArray:
    """Return the probability of each key at each observation, at the first place of a slate, `(n, n_keys)`."""
    numbers = {name: values for name, values in observation.items() if values.ndim == 1}
    allowed = rules.allowed(keys, numbers)
    offer = offer_of(keys, {key: place for place, key in enumerate(policy.vocabulary.keys)})
    features = policy.encode(observation)
    mask = np.zeros((len(features), policy.n_actions), dtype=np.bool_)
    mask[:, offer.index[offer.is_known]] = allowed[:, offer.is_known]
    mask = policy.ruled(features, mask)
    decides: BoolArray = np.asarray(mask.any(axis=1))
    found = allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1)
    found[decides] = 0.0
    if decides.any():
        chances = policy.probabilities(features[decides], mask[decides])
        found[np.ix_(decides, offer.is_known)] = chances[:, offer.index[offer.is_known]]
    return np.asarray(found)
