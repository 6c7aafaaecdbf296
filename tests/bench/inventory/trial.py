"""What every way to order reaches on one cell of the test bed, learned from one log of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from conf.specs.candidate import Candidate, ContinuousCandidate
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
from rl.learning.order_learning import learn_continuous_orders, learn_orders
from rl.shops.inventory.logged_orders import buyer_of, simulate_orders
from rl.shops.inventory.test_bed import Cell

VALIDATION_SHARE, N_VALIDATION_PARTS, N_COPIES = 0.2, 200, 4
LARGEST_ORDER = 15
DISCOUNT = 0.9
MOST_STATES = 50_000

Row = dict[str, Any]


@dataclass(frozen=True)
class Effort:
    """How much the learners may work.

    Attributes:
        n_periods: of the log.
        n_hindsight_updates: of the hindsight learner.
        n_value_updates: of learners of values.
        n_actor_updates: of learners of values over continuous orders, each of which takes three times as long.
    """

    n_periods: int = 200_000
    n_hindsight_updates: int = 600
    n_value_updates: int = 15_000
    n_actor_updates: int = 15_000


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


def relabelled_values(trial: Trial, seed: int, *, is_on_arrival: bool = False) -> Row:
    """Return what double Q-learning reached on relabelled orders with a base-stock head, demand declared exogenous.

    Args:
        trial: cell and log.
        seed: of the learner, and of the relabelling.
        is_on_arrival: rewards are counted when an order arrives, and more checkpoints are kept.
    """
    own = {"algorithm": "double_dqn", "target_update_interval": 100}
    return _discrete(
        trial,
        "rl, relabelled on arrival" if is_on_arrival else "rl, relabelled",
        own | ({"n_checkpoints": 15} if is_on_arrival else {}),
        Rows("target", is_relabelled=True, is_on_arrival=is_on_arrival),
        seed,
    )


def plain_values(trial: Trial, seed: int, algorithm: str) -> Row:
    """Return what a learner of values reached on the log as it is, in orders of 0 to 15 units."""
    own = {
        "discrete_cql": {"target_update_interval": 100, "conservative_weight": 0.1},
        "discrete_iql": {"expectile": 0.9, "inverse_temperature": 10.0},
    }[algorithm]
    return _discrete(trial, f"rl, plain {algorithm}", {"algorithm": algorithm, **own}, Rows("order"), seed)


ACTORS: dict[str, Row] = {
    "cql": {"conservative_weight": 0.1},
    "iql": {"expectile": 0.9, "inverse_temperature": 10.0},
    "td3_plus_bc": {},
    "awac": {},
}
"""Settings of continuous learners, the discrete ones' where both have them."""


def actors(trial: Trial, seed: int, algorithm: str) -> Iterator[Row]:
    """Yield what a continuous learner reached on orders and on target levels, as logged and relabelled."""
    own = {**_SHARED, "algorithm": algorithm, "seeds": (seed,), "n_updates": trial.effort.n_actor_updates}
    candidate = ContinuousCandidate.model_validate(own | ACTORS[algorithm])
    for rows in (Rows("order"), Rows("target"), Rows("order", True, True), Rows("target", True, True)):

        def learn(rows: Rows = rows) -> tuple[OrderingPolicy, Row]:
            training, head = rows.of(trial, seed)
            found = learn_continuous_orders(
                candidate,
                seed,
                training,
                trial.validation_demand,
                trial.cell.rules,
                head=head,
                discount=DiscountFunction(DISCOUNT),
            )
            return found.policy, {"update": found.update}

        yield trial.row(f"rl, continuous {algorithm}, {rows.name}", learn, seed)


@dataclass(frozen=True)
class Rows:
    """What a learner of values learns from.

    Attributes:
        kind: what an action is.
        is_relabelled: every period stands several times, with actions drawn evenly.
        is_on_arrival: a relabelled row's reward is that of the period in which its order arrives.
    """

    kind: Literal["order", "target"]
    is_relabelled: bool = False
    is_on_arrival: bool = False

    @property
    def name(self) -> str:
        """Such as `target level, relabelled`."""
        kind = "order" if self.kind == "order" else "target level"
        return f"{kind}, relabelled" if self.is_relabelled else f"{kind}, as logged"

    def of(self, trial: Trial, seed: int) -> tuple[LoggedEpisodes, OrderHead]:
        """Return the training part of the log as rows, and what their actions are."""
        demand, rules = trial.fitted.distribution, trial.cell.rules
        head = OrderHead("order", 0, LARGEST_ORDER + 1, demand.mean)
        if self.kind == "target":
            least, top = int(demand.mean * rules.lead_time), newsvendor(demand, rules).level + 2
            head = OrderHead("target", least, top - least + 1, demand.mean)
        training = trial.log.rows(0, trial.n_training)
        if not self.is_relabelled:
            return as_logged(training, rules, head), head
        generator = np.random.default_rng([trial.log_seed, seed])
        drawn = trial.paths.days(0, trial.n_training).drawn(generator)[0] if self.is_on_arrival else None
        return relabelled(training, rules, head, n_copies=N_COPIES, generator=generator, demand=drawn), head


_SHARED: Row = {"hidden_units": (64, 64), "learning_rate": 1e-3, "n_checkpoints": 5}


def _discrete(trial: Trial, method: str, settings: Row, rows: Rows, seed: int) -> Row:
    own = {"seeds": (seed,), "n_updates": trial.effort.n_value_updates}
    seeded = SeededCandidate(f"{trial.cell.name}-{seed}", Candidate.model_validate(_SHARED | own | settings), seed)

    def learn() -> tuple[OrderingPolicy, Row]:
        training, head = rows.of(trial, seed)
        found = learn_orders(
            seeded, training, trial.validation_demand, trial.cell.rules, head=head, discount=DiscountFunction(DISCOUNT)
        )
        return found.policy, {"update": found.update}

    return trial.row(method, learn, seed)


def _tuned(found: Any) -> tuple[OrderingPolicy, Row]:
    numbers = {name: value for name, value in vars(found.policy).items() if name != "demand" and value is not None}
    return found.policy, numbers


def _with_level(policy: BaseStock) -> tuple[OrderingPolicy, Row]:
    return policy, {"level": policy.level}
