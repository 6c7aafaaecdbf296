"""First nights of weekly offers, as the loop of offers has them: what each temperature gains, and what is shipped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np

from conf.specs.scenario import Pipeline
from rl.gate.rules import Decision
from rl.night.selection import Selection
from rl.ope.intervals.sums import difference
from rl.ope.report import BEHAVIOR, EvaluationSettings
from tests.bench.promotion.night_trial import Row, Size, bench_pipeline, judged_policy, rounded, true_gain
from tests.bench.promotion.simulated_night import SimulatedNight, seen_log, shop_of_a_year

TEMPERATURES = (0.1, 0.3, 0.6)
LAST_DATE = date(2026, 8, 30)
"""Of the loop's first night: no Christmas in its test weeks."""


@dataclass(frozen=True)
class TemperatureTrial:
    """One log, its values' learner at each temperature, and which of them two rules select.

    Attributes:
        seed: of the log.
        size: how much is tried.
        night: the log as a night reads it.
        selection: at all temperatures.
        narrow: at all but the last.
    """

    seed: int
    size: Size
    night: SimulatedNight
    selection: Selection
    narrow: Selection

    @classmethod
    def of(cls, seed: int, size: Size) -> Self:
        """The log is simulated, the scenario's candidate that learns values is trained, and temperatures are chosen."""
        settings = shop_of_a_year(seed, size.n_shoppers, last_date=LAST_DATE)
        pipelines = [_pipeline(size, some) for some in (TEMPERATURES, TEMPERATURES[:-1])]
        log = seen_log(settings, pipelines[0])
        nights = [SimulatedNight(settings, one, log) for one in pipelines]
        trained = nights[0].candidates()
        splits = nights[0].episodes("train"), nights[0].episodes("validation")
        found = [
            night.select(trained, *splits, EvaluationSettings.from_scenario(night.pipeline.scenario))
            for night in nights
        ]
        return cls(seed, size, nights[0], *found)

    def rows(self) -> list[Row]:
        """What validation weeks, test weeks and the truth say of each temperature, and who selects it."""
        apart = [_apart(selection) for selection in (self.selection, self.narrow)]
        together = [one.best.policy.temperature for one in (self.selection, self.narrow)]
        rows = []
        for choice in self.selection.at_temperatures:
            evaluation, verdict = judged_policy(self.night, choice.policy)
            estimator = self.night.pipeline.scenario.evaluation.estimator
            gain = difference(evaluation.sums[choice.policy.name, estimator], evaluation.sums[BEHAVIOR, estimator])
            true, _ = true_gain(self.night, choice.policy, n_shoppers=self.size.n_truth, seed=self.seed)
            temperature = choice.policy.temperature
            rows.append(
                {
                    "kind": "temperature",
                    "seed": self.seed,
                    "temperature": temperature,
                    "validation_gain": rounded(choice.gain),
                    "validation_error": rounded(choice.error),
                    "gain": rounded(gain.value()),
                    "verdict": verdict.decision.value,
                    "true_gain": rounded(true.value),
                    "true_error": rounded(true.standard_error),
                    "shipped": rounded(true.value if verdict.decision is Decision.PROMOTE else 0.0),
                    "selected_together": temperature == together[0],
                    "selected_apart": temperature == apart[0],
                    "selected_together_of_two": temperature == together[1],
                    "selected_apart_of_two": temperature == apart[1],
                }
            )
        return rows


def shipped_by_rule(rows: list[Row]) -> Row:
    """Return what each rule ships on average, and in how many nights it is promoted."""
    found: Row = {"kind": "temperature summary", "nights": len({row["seed"] for row in rows})}
    rules = [key for key in rows[0] if key.startswith("selected_")]
    for rule in rules:
        shipped = [row["shipped"] for row in rows if row[rule]]
        found[rule.removeprefix("selected_")] = {
            "shipped": round(float(np.mean(shipped)), 3),
            "promoted": sum(one != 0 for one in shipped),
        }
    for temperature in sorted({row["temperature"] for row in rows}):
        own = [row for row in rows if row["temperature"] == temperature]
        found[f"at {temperature:g}"] = {
            "true_gain": round(float(np.mean([row["true_gain"] for row in own])), 3),
            "shipped": round(float(np.mean([row["shipped"] for row in own])), 3),
            "promoted": sum(row["shipped"] != 0 for row in own),
        }
    return found


def _pipeline(size: Size, temperatures: tuple[float, ...]) -> Pipeline:
    """Return the scenario at those temperatures, without imitators, which a budget never selects."""
    found = bench_pipeline(size, policy={"temperatures": list(temperatures)})
    learners = tuple(one for one in found.scenario.candidates if one.algorithm != "bc")
    return found.model_copy(update={"scenario": found.scenario.model_copy(update={"candidates": learners})})


def _apart(selection: Selection) -> float:
    """Return the temperature that ranks first by itself."""
    return max(selection.at_temperatures, key=lambda one: one.rank).policy.temperature
