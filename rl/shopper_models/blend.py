"""The blend of trees and BG/NBD: the mean of what both say, on the scale of log odds or of logs.

Where outcomes are rare, trees learn too little of them, and BG/NBD knows a law that may not be the shop's: their errors
differ, and the mean has less of each.

Source: Ranjan and Gneiting (2010), Combining probability forecasts, for why the mean is calibrated again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.shopper_models.calibration import from_link, to_link
from rl.shopper_models.daily_activity import FloatArray
from rl.shopper_models.examples import Examples
from rl.shopper_models.rules import BgNbdRule
from rl.shopper_models.tree_ensemble import Outcome, TreeEnsemble

_MOST_ODDS = 1e-6  # a part that is surer than this counts as if it were no surer


@dataclass(frozen=True)
class BlendedModel:
    """Two models of the same outcome.

    Attributes:
        kind: of the outcome.
        trees: gradient-boosted.
        bg_nbd: of repeat purchases or visits.
    """

    kind: Outcome
    trees: TreeEnsemble
    bg_nbd: BgNbdRule

    def predict(self, examples: Examples) -> FloatArray:
        """Return the mean of the parts' predictions on the scale of log odds, or of logs for amounts, `(n,)`."""
        parts = [
            self.trees.predict(examples.features),
            self.bg_nbd.predict(examples),
        ]
        bounded = [
            np.clip(one, _MOST_ODDS, 1 - _MOST_ODDS) if self.kind == "probability" else np.maximum(one, _MOST_ODDS)
            for one in parts
        ]
        return from_link(np.mean([to_link(one, self.kind) for one in bounded], axis=0), self.kind)
