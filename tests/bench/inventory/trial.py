"""What every way to order reaches on one cell of the test bed, learned from one log of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from conf.specs.candidate import Candidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import IntArray, LoggedEpisodes
from rl.errors import InventoryError, TrainingError
from rl.inventory.censored_demand import FittedDemand, fit_demand
from rl.inventory.hindsight.demand_paths import DemandPaths, paths_of
from rl.inventory.hindsight.training import HindsightSettings, train_in_hindsight
from rl.inventory.order_decisions import OrderHead, as_logged, relabelled
from rl.inventory.order_log import OrderLog
from rl.inventory.planning import plan
from rl.inventory.policies.base_stock import BaseStock, newsvendor
from rl.inventory.policies.tuning import tuned_base_stock, tuned_capped_base_stock, tuned_projected_level
from rl.inventory.stock import OrderingPolicy
from rl.inventory.stock_chain import long_run
from rl.learning.candidates import SeededCandidate
from rl.learning.order_learning import learn_orders
from rl.shops.inventory.logged_orders import buyer_of, simulate_orders
from rl.shops.inventory.test_bed import Cell

VALIDATION_SHARE, N_VALIDATION_PARTS, N_COPIES = 0.2, 200, 4
LARGEST_ORDER = 15
MOST_STATES = 50_000

Row = dict[str, Any]


@dataclass(frozen=True)
class Effort:
    """How much the learners may work.

    Attributes:
        n_periods: of the log.
        n_hindsight_updates: of the hindsight learner.
        n_value_updates: of learners of values.
    """

    n_periods: int = 200_000
    n_hindsight_updates: int = 600
    n_value_updates: int = 15_000


@dataclass(frozen=True)
class Trial:
    """One cell, one log."""

    cell: Cell
    shift: int
    effort: Effort
    log_seed: int = 1

    @cached_property
    def log(self) -> OrderLog:
        return simulate_orders(
            self.cell, buyer_of(self.cell, self.shift), n_periods=self.effort.n_periods, seed=self.log_seed
        )[0]

    @cached_property
    def fitted(self) -> FittedDemand:
        return fit_demand(self.log.sales, self.log.ran_out)

    @property
    def n_training(self) -> int:
        return int(self.log.n_periods * (1 - VALIDATION_SHARE))

    @cached_property
    def paths(self) -> DemandPaths:
        return paths_of(self.log, self.fitted)

    @cached_property
    def validation(self) -> DemandPaths:
        return self.paths.days(self.n_training, self.log.n_periods).folded(N_VALIDATION_PARTS)

    @cached_property
    def validation_demand(self) -> IntArray:
        return self.validation.drawn(np.random.default_rng(0))

    def row(self, method: str, learn: Callable[[], tuple[OrderingPolicy, Row]], seed: int | None = None) -> Row:
        """Return what one method reached; one that can't be judged says why."""
        started = time.process_time()
        row: Row = {"bench": "inventory", "cell": self.cell.name, "shift": self.shift, "method": method}
        row |= {} if seed is None else {"seed": seed}
        try:
            policy, more = learn()
            cost = long_run(policy, self.cell.rules, self.cell.demand, most_states=MOST_STATES).cost
            row |= {"percent_above": round(100 * (cost / self.cell.optimal_cost - 1), 3), "cost": round(cost, 4)} | more
        except (InventoryError, TrainingError) as error:
            row |= {"percent_above": None, "why": str(error)}
        return row | {"cpu_seconds": round(time.process_time() - started, 1)}


def best_possible(trial: Trial) -> list[Row]:
    """Return the best policies of few numbers on true demand: no log is looked at."""
    cell = trial.cell
    return [
        trial.row("best base-stock", lambda: _tuned(cell.best_base_stock)),
        trial.row("best capped base-stock", lambda: _tuned(tuned_capped_base_stock(cell.demand, cell.rules))),
        trial.row("best projected level", lambda: _tuned(tuned_projected_level(cell.demand, cell.rules))),
    ]


def formulas(trial: Trial) -> list[Row]:
    """Return what is planned or tuned on demand fitted to the log."""
    demand, rules = trial.fitted.distribution, trial.cell.rules
    told = {
        "ran_out": round(float(trial.log.ran_out.mean()), 3),
        "declared_chance": round(trial.fitted.declared_chance, 6),
    }
    return [
        trial.row("plan", lambda: (plan(rules, demand), told)),
        trial.row("projected level", lambda: _tuned(tuned_projected_level(demand, rules))),
        trial.row("base-stock", lambda: _tuned(tuned_base_stock(demand, rules))),
        trial.row("capped base-stock", lambda: _tuned(tuned_capped_base_stock(demand, rules))),
        trial.row("newsvendor", lambda: _with_level(newsvendor(demand, rules))),
    ]


def hindsight(trial: Trial, seed: int) -> Row:
    """Return what the network with a base-stock head reached."""

    def learn() -> tuple[OrderingPolicy, Row]:
        level = tuned_base_stock(trial.fitted.distribution, trial.cell.rules).policy.level
        found = train_in_hindsight(
            trial.paths.days(0, trial.n_training),
            trial.validation,
            trial.cell.rules,
            level=level,
            settings=HindsightSettings(n_updates=trial.effort.n_hindsight_updates),
            seed=seed,
        )
        return found.policy, {"update": found.update}

    return trial.row("hindsight", learn, seed)


def relabelled_values(trial: Trial, seed: int) -> Row:
    """Return what double Q-learning reached on relabelled orders with a base-stock head, demand declared exogenous."""
    demand, rules = trial.fitted.distribution, trial.cell.rules
    least, top = int(demand.mean * rules.lead_time), newsvendor(demand, rules).level + 2
    head = OrderHead("target", least, top - least + 1, demand.mean)
    generator = np.random.default_rng([trial.log_seed, seed])
    training = trial.log.rows(0, trial.n_training)
    return _values(
        trial,
        "rl, relabelled",
        {"algorithm": "double_dqn", "target_update_interval": 100},
        lambda: relabelled(training, rules, head, n_copies=N_COPIES, generator=generator),
        head,
        seed,
    )


def plain_values(trial: Trial, seed: int, algorithm: str) -> Row:
    """Return what a learner of values reached on the log as it is, in orders of 0 to 15 units."""
    head = OrderHead("order", 0, LARGEST_ORDER + 1, trial.fitted.distribution.mean)
    training = trial.log.rows(0, trial.n_training)
    own = {
        "discrete_cql": {"target_update_interval": 100, "conservative_weight": 0.1},
        "discrete_iql": {"expectile": 0.9, "inverse_temperature": 10.0},
    }[algorithm]
    return _values(
        trial,
        f"rl, plain {algorithm}",
        {"algorithm": algorithm, **own},
        lambda: as_logged(training, trial.cell.rules, head),
        head,
        seed,
    )


def _values(
    trial: Trial, method: str, settings: Row, make: Callable[[], LoggedEpisodes], head: OrderHead, seed: int
) -> Row:
    shared = {
        "seeds": (seed,),
        "n_updates": trial.effort.n_value_updates,
        "hidden_units": (64, 64),
        "learning_rate": 1e-3,
        "n_checkpoints": 5,
    }
    seeded = SeededCandidate(f"{trial.cell.name}-{seed}", Candidate.model_validate(shared | settings), seed)

    def learn() -> tuple[OrderingPolicy, Row]:
        found = learn_orders(
            seeded, make(), trial.validation_demand, trial.cell.rules, head=head, discount=DiscountFunction(0.9)
        )
        return found.policy, {"update": found.update}

    return trial.row(method, learn, seed)


def _tuned(found: Any) -> tuple[OrderingPolicy, Row]:
    numbers = {name: value for name, value in vars(found.policy).items() if name != "demand" and value is not None}
    return found.policy, numbers


def _with_level(policy: BaseStock) -> tuple[OrderingPolicy, Row]:
    return policy, {"level": policy.level}
