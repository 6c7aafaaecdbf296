"""How much of the gap from the exact myopic policy to the exact optimum a night's learner closes, at equal spend.

The shop is so small that its log shows the whole state: a policy's profit and spend are exact, and so are the best and
the myopic policy at the same spend. The learner, its price on later weeks and its softmax are those of the nights; its
layers are wider and its updates more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conf.observation_features import id_hash
from conf.specs.reward import millionths
from conf.specs.scenario import Scenario, load_pipeline
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes
from rl.learning.candidates import SeededCandidate, seeded_candidates
from rl.learning.replay.replay_columns import columns_of
from rl.learning.training import TrainingSettings, train_candidate
from rl.night.pricing import PricingTerms, WeeklyPricing
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary
from rl.policy.observation_encoder import ColumnEncoding
from rl.shops.promotion.budgeted_policies import best_within_budget, myopic_within_budget
from rl.shops.promotion.simulate import Simulation, simulate
from rl.shops.promotion.simulated_episodes import episodes_from_simulation, logged_episodes
from rl.shops.promotion.tabular_settings import tabular_settings
from rl.shops.promotion.tabular_shop import TabularShop
from rl.shops.promotion.visible_history import Columns

N_SHOPPERS, N_WEEKS, TRAINING_WEEKS = 4000, 26, 18
ALGORITHM = "discrete_cql"
N_UPDATES = 4000
"""As many passes over 72,000 rows as a night's 1,500 updates are over 27,000."""
HIDDEN_UNITS, N_NETWORKS = (128, 128), 1
"""Of a log that tells much more than a night's: there is more to fit, and less luck to average away."""
TEMPERATURE = 0.1
"""Nothing has to be proven on a log here: nearly the best action in each state."""
BUDGET_SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of what the optimum without a budget spends."""

_STATE_COLUMNS = ("kind", "since", "latest", "offered", "has_opted_out")

Row = dict[str, Any]


@dataclass(frozen=True)
class TabularTrial:
    """A log of the tabular shop, and the policy that a night's learner makes of it.

    Attributes:
        seed: of the log.
        shop: its exact tables.
        gamma: what the next week counts for, in training as in the tables.
        policy: without a price.
        pricing_weeks: later weeks, on which prices are fixed.
        outputs_per_money: how much of the policy's outputs a unit of money is.
    """

    seed: int
    shop: TabularShop
    gamma: float
    policy: StochasticPolicy
    pricing_weeks: LoggedEpisodes
    outputs_per_money: float

    @classmethod
    def of(cls, seed: int, *, n_shoppers: int = N_SHOPPERS, candidate: dict[str, Any] | None = None) -> TabularTrial:
        """Simulate a log and train the scenario's learner on its first weeks.

        Args:
            seed: of the log.
            n_shoppers: in it.
            candidate: settings of the learner that replace the scenario's.
        """
        scenario = load_pipeline("promotion", "simulated_promotion").scenario
        shop = TabularShop(tabular_settings(n_shoppers=n_shoppers, n_weeks=N_WEEKS, seed=seed))
        simulation, encoder = simulate(shop.settings), _encoder(shop)
        training = _episodes(shop, simulation, encoder, 0, TRAINING_WEEKS - 1)
        seeded = _learner(scenario, candidate or {})
        trained = train_candidate(
            seeded, columns_of(training), None, TrainingSettings(DiscountFunction.of(scenario.discount))
        )
        keys = tuple(shop.settings.action_keys)
        policy = StochasticPolicy(
            name=seeded.name,
            network=trained.network,
            encoder=encoder,
            vocabulary=Vocabulary(keys, tuple(id_hash(key) for key in keys), has_other=False),
            output_scale=trained.output_scale,
            temperature=TEMPERATURE,
            exploration_floor=0.0,
            is_other_chosen=False,
            dataset_digest="tabular",
        )
        return cls(
            seed=seed,
            shop=shop,
            gamma=scenario.discount.gamma,
            policy=policy,
            pricing_weeks=_episodes(shop, simulation, encoder, TRAINING_WEEKS, N_WEEKS - 1),
            outputs_per_money=1 / trained.reward_scale,
        )

    def rows(self) -> list[Row]:
        """Return, at each budget, what the policy earns beside the exact myopic policy and optimum at its spend."""
        process = self.shop.process(self.gamma)
        free = process.worth(process.best_at_price(0.0))
        found = []
        for share in BUDGET_SHARES:
            table = self._table(self._priced(share * free.spend))
            own = process.worth(table)
            best, myopic = (find(process, own.spend).worth for find in (best_within_budget, myopic_within_budget))
            found.append(
                {
                    "kind": "tabular",
                    "seed": self.seed,
                    "budget": round(share * free.spend, 4),
                    "spend": round(own.spend, 4),
                    "profit": round(own.profit, 4),
                    "myopic": round(myopic.profit, 4),
                    "myopic_spend": round(myopic.spend, 4),
                    "best": round(best.profit, 4),
                    "gap": round(best.profit / myopic.profit - 1, 4),
                    "closed": round((own.profit - myopic.profit) / (best.profit - myopic.profit), 4),
                }
            )
        return found

    def _priced(self, budget: float) -> StochasticPolicy:
        """Return the policy at the price at which a shopper's week commits the budget, in currency."""
        committed = (0, *(offer.committed_millionths for offer in self.shop.settings.offers))
        n_shoppers = float(self.shop.settings.n_shoppers)
        terms = PricingTerms(
            committed=committed,
            weekly_budget=millionths(budget * n_shoppers) + max(committed),
            outputs_per_money={self.policy.name: self.outputs_per_money},
            nothing=0,
        )
        return WeeklyPricing(terms, self.pricing_weeks, n_shoppers).priced(self.policy)

    def _table(self, policy: StochasticPolicy) -> FloatArray:
        """Return what the policy does in each state, `(n_states, n_actions)`."""
        states = self.shop.states
        features = policy.encode({name: getattr(states, name) for name in _STATE_COLUMNS})
        mask: BoolArray = self.shop.process(self.gamma).mask
        return policy.probabilities(features, mask)


def _learner(scenario: Scenario, changes: dict[str, Any]) -> SeededCandidate:
    seeded = next(one for one in seeded_candidates(scenario).values() if one.candidate.algorithm == ALGORITHM)
    kept = {
        "n_updates": N_UPDATES,
        "hidden_units": HIDDEN_UNITS,
        "ensemble": N_NETWORKS,
        "n_checkpoints": 1,
        "patience": None,
        **changes,
    }
    return SeededCandidate(seeded.name, seeded.candidate.model_copy(update=kept), seeded.seed)


def _encoder(shop: TabularShop) -> ObservationEncoder:
    """Return the encoder of states: each of their parts one-hot."""
    spaces = {
        name: tuple(range(int(values.max()) + 1)) for name in _STATE_COLUMNS for values in [getattr(shop.states, name)]
    }
    return ObservationEncoder(tuple(ColumnEncoding(name, "codes", space=name) for name in _STATE_COLUMNS), spaces)


def _episodes(
    shop: TabularShop, simulation: Simulation, encoder: ObservationEncoder, first: int, last: int
) -> LoggedEpisodes:
    def encode(observation: Columns) -> FeatureArray:
        state = shop.observed_state(observation)
        return encoder.encode({name: getattr(shop.states, name)[state] for name in _STATE_COLUMNS})

    return logged_episodes(episodes_from_simulation(simulation, first, last), encode=encode)
