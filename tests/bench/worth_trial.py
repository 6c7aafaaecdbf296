"""Logs of simulated shops in which looking ahead pays, or doesn't, as the worth-it assessment would read them."""

from __future__ import annotations

from datetime import timedelta

from conf.specs.scenario import load_pipeline
from rl.data.discount_function import DiscountFunction
from rl.data.encoder_fitting import fit_encoder
from rl.data.logged_episodes import LoggedEpisodes
from rl.shops.recommendation.fixed_policies import myopic_policy, patient_policy
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.simulate import simulate
from rl.shops.recommendation.simulated_episodes import episodes_from_simulation, logged_episodes
from rl.shops.recommendation.true_value import true_policy_value
from rl.worth.assessment import Assessment, WorthSettings, assess

GAMMA = 0.95
SHOPS = {"standard": ShopSettings(), "flat": ShopSettings().flat()}
RIGHT_ANSWERS = {"standard": "pays", "flat": "does_not_pay"}
# Of the embedded shop's 14 days, those before the test episodes and the embargo; the assessment reads no others.
N_DAYS_READ = 9
N_TRUTH_SESSIONS = 80_000


def read_log(settings: ShopSettings, n_days: int) -> LoggedEpisodes:
    """The shop's first days, encoded as a night's dataset would encode them."""
    shop = build_shop(settings)
    episodes = episodes_from_simulation(simulate(shop), last_date=settings.first_date + timedelta(days=n_days - 1))
    encoder = fit_encoder(episodes.observation)
    return logged_episodes(episodes, encode=encoder.encode, action_keys=list(shop.catalogue.item_ids))


def assess_shop(settings: ShopSettings, n_days: int = N_DAYS_READ) -> Assessment:
    """What the assessment says of the shop's log, under the recommendation scenario's spec."""
    scenario = load_pipeline("recommendation", "simulated_shop").scenario
    return assess(read_log(settings, n_days), WorthSettings.from_scenario(scenario), nights=float(n_days))


def true_share_reached(settings: ShopSettings) -> tuple[float, float]:
    """True value of a myopic policy over that of a patient one, both knowing how shoppers react; standard error."""
    shop = build_shop(settings)
    keys = list(shop.catalogue.item_ids)
    myopic, patient = (
        true_policy_value(
            settings,
            rule(shop, keys),
            action_keys=keys,
            first_date=settings.first_date,
            last_date=settings.last_date,
            discount=DiscountFunction(GAMMA),
            n_sessions=N_TRUTH_SESSIONS,
        )
        for rule in (myopic_policy, patient_policy)
    )
    share = myopic.value / patient.value
    error = share * ((myopic.standard_error / myopic.value) ** 2 + (patient.standard_error / patient.value) ** 2) ** 0.5
    return share, error
