"""Settings of a shop so small that the log shows the whole state of its shoppers."""

from __future__ import annotations

from rl.shops.promotion.promotion_settings import Dynamics, FeedDirt, LoggingRule, Offer, PromotionSettings
from rl.shops.promotion.shopper_kinds import ShopperKind

_ALIKE = {"drift_rate": 1.0, "more_lines_probability": 0.0, "opt_out_rate": 0.002}
TABULAR_KINDS = tuple(
    ShopperKind.model_validate(_ALIKE | own)
    for own in (
        {"name": "forgetful", "share": 0.45, "purchase": -1.2, "contact_response": 0.1, "discount_response": 1.16}
        | {"pantry": 0.1},
        {"name": "bargain_hunter", "share": 0.35, "purchase": -1.4, "discount_response": 1.94, "pantry": 0.9},
        {"name": "sleeping_dog", "share": 0.2, "purchase": -1.2, "contact_response": -0.6, "discount_response": 0.23}
        | {"opt_out_rate": 0.05},
    )
)
"""Some forget the shop unless they are reminded in time, some only buy earlier what they would have bought."""


def tabular_settings(*, n_shoppers: int = 4000, n_weeks: int = 26, seed: int = 1) -> PromotionSettings:
    """Return the settings of three kinds of shoppers whom the register tells apart, and of two offers.

    Who hasn't bought drifts a level each week, so distance, fatigue and supplies all follow from what the log shows.
    """
    offers = (
        Offer(key="reminder", code="NL-ERINNERUNG", contact_cost_millionths=40_000),
        Offer(
            key="voucher_6",
            code="GS-6",
            discount_percent=100,
            largest_discount_cents=600,
            contact_cost_millionths=42_500,
        ),
    )
    dynamics = Dynamics(
        fatigue_weeks=2,
        fatigue_decay=0.6,
        weariness=0.7,
        farthest=6,
        distance_cost=0.0,
        gone_cost=2.5,
        stocked_weeks=0,
        pulled_weeks=4,
        inactive_weeks=1000,
    )
    return PromotionSettings(
        n_weeks=n_weeks,
        n_shoppers=n_shoppers,
        seed=seed,
        newcomer_share=0.0,
        segment_accuracy=1.0,
        spread=0.0,
        n_items=6,
        n_categories=1,
        kinds=TABULAR_KINDS,
        offers=offers,
        dynamics=dynamics,
        logging=LoggingRule(mix=(1.0, 1.0)),
        dirt=FeedDirt.none(),
    )
