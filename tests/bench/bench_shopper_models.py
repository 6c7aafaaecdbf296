"""How well models of shoppers know what simulated shoppers of a known law will do, over several draws.

Prints JSON lines. For each draw (3,000 shoppers; `purchases`: over 250 days, a purchase within 7 days; `sessions`: over
45 days, a purchase before the session ends): calibration slope, Brier skill with its lower bound, the AUC
of trees, of the logistic regression and of the law itself, and the share of the gap between the last two that trees
close. Then, of each kind, the means over draws with Student's 95% interval. Run by `make bench-shopper-models`:

- `SEEDS=11-15`: draws, from the first to the last.
- `KINDS=purchases,sessions`: which laws.
- `SMALL=1`: few shoppers, to see that everything runs.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from conf.specs.shopper_model import ShopperModel, load_shopper_model
from rl.data.logged_episodes import FloatArray
from rl.shopper_models.comparison import ranked_rows
from rl.shopper_models.fitting import Fit, fit_shopper_model
from rl.shopper_models.judging import gate_answer, learner_figures, predictions
from tests.bench.bench_promotion import mean_with_interval, seeds_of
from tests.rl.shopper_models.simulated_activity import simulate
from tests.rl.shopper_models.simulated_sessions import simulate_sessions

Row = dict[str, Any]
RESAMPLES = 300
MEANT = ("slope", "skill", "closed")


@dataclass(frozen=True)
class Trial:
    """A model fitted on a draw of a law.

    Attributes:
        model: what is fitted.
        fit: with its test rows.
        truth: the law's own chance of each test row, `(n_rows,)`.
    """

    model: ShopperModel
    fit: Fit
    truth: FloatArray

    def row(self) -> Row:
        """Return the figures of the model's trees beside the law's own."""
        found = learner_figures(self.fit, self.model)
        trees, constant = (next(one for one in found if one.name == name) for name in ("trees", "constant"))
        auc = {name: self._auc(one) for name, one in {**predictions(self.fit), "truth": self.truth}.items()}
        gap = auc["truth"] - auc["logistic"]
        if trees.slope is None:
            raise ValueError(f"{self.model.name}: trees have no slope on {len(self.truth)} rows")
        return {
            "model": self.model.name,
            "verdict": gate_answer(trees, constant, self.model, over_champion=None).verdict,
            "slope": round(trees.slope.value, 3),
            "skill": round(trees.skill.value, 3),
            "skill_lower": round(trees.skill.lower, 3),
            "auc": {name: round(auc[name], 4) for name in ("logistic", "trees", "truth")},
            "closed": round((auc["trees"] - auc["logistic"]) / gap, 3),
        }

    def _auc(self, predicted: FloatArray) -> float:
        ranked = ranked_rows(predicted, self.fit.test_outcome)
        return ranked.auc if ranked is not None else float("nan")


def purchases(seed: int, *, is_small: bool) -> Trial:
    """Fit purchases within a week on a draw of shoppers whose hazard is known."""
    n_shoppers = 400 if is_small else 3_000
    model = _model("purchase-propensity-7")
    simulated = simulate(n_shoppers, 250, seed=seed)
    fit = fit_shopper_model(simulated.activity(), model)
    truth = simulated.true_probability(fit.test.shopper, fit.test.as_of_day, model.horizon_days)
    return Trial(model, fit, truth)


def sessions(seed: int, *, is_small: bool) -> Trial:
    """Fit purchases of running sessions on a draw whose chance at each step is known."""
    n_days = 45
    model = _model("session-purchase")
    simulated = simulate_sessions(150 if is_small else 3_000, n_days, seed=seed)
    running = simulated.running()
    fit = fit_shopper_model(simulated.activity(), model, running)
    days = running.steps_on(np.arange(n_days)).day
    return Trial(model, fit, simulated.truth[np.isin(days, np.unique(fit.test.as_of_day))])


TRIALS = {"purchases": purchases, "sessions": sessions}


def _model(name: str) -> ShopperModel:
    return ShopperModel.model_validate({**load_shopper_model(name).model_dump(), "n_resamples": RESAMPLES})


def main() -> None:
    """Fit and report every draw of every kind that the environment asks for."""
    is_small = bool(os.environ.get("SMALL"))
    for kind in os.environ.get("KINDS", ",".join(TRIALS)).split(","):
        rows = []
        for seed in seeds_of(os.environ.get("SEEDS", "11-15")):
            rows.append(TRIALS[kind](seed, is_small=is_small).row())
            _say({"kind": kind, "seed": seed, **rows[-1]})
        _say({"kind": f"{kind} summary", **{name: mean_with_interval([row[name] for row in rows]) for name in MEANT}})


def _say(row: Row) -> None:
    print(json.dumps({"bench": "shopper-models", **row}), flush=True)


if __name__ == "__main__":
    main()
