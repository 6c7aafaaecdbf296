"""Examples of running sessions: a row for each step, with what was known of the shopper before the session's day."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conf.kernel.arrays import IntArray
from conf.specs.shopper_model import OF_SESSIONS, ShopperModel
from rl.shopper_models.bg_nbd import Repeats
from rl.shopper_models.daily_activity import DailyActivity, FloatArray
from rl.shopper_models.examples import Examples
from rl.shopper_models.features import feature_columns
from rl.shopper_models.past import past_of
from rl.shopper_models.running_sessions import RunningSessions

_SO_FAR = ("n_session_clicks", "n_session_carts", "seconds_since_session_start")
"""What the table beside the learners is cut by: a team's own rule for a running session."""


def session_examples(
    activity: DailyActivity, running: RunningSessions, model: ShopperModel, days: IntArray
) -> tuple[Examples, FloatArray]:
    """Return a row for each step of the sessions that start on the days, and whether a purchase followed in them.

    What is known of shoppers is what had been delivered before the day on which the session started; of the session,
    what happened before the step. Shoppers whom nobody knew have a session all the same.

    Args:
        activity: of shoppers.
        running: sessions of these or others.
        model: whose features are made.
        days: on which sessions start, days since the epoch.
    """
    activity, place = _with_all(activity, running.shoppers)
    steps = running.steps_on(days)
    shopper, day = place[steps.shopper], steps.day
    past = past_of(activity, shopper, day, history_days=model.history_days)
    inside = tuple(name for name in model.features if name in OF_SESSIONS)
    shown = steps.features(tuple(dict.fromkeys((*inside, *_SO_FAR))))
    before = model.model_copy(update={"features": tuple(one for one in model.features if one not in OF_SESSIONS)})
    columns = {name: shown[name] for name in inside} | feature_columns(past, before)
    nothing = np.zeros(len(shopper))
    examples = Examples(
        shopper=shopper,
        as_of_day=day,
        features=np.stack(list(columns.values()), axis=1),
        feature_names=tuple(columns),
        rfm=np.stack([shown[name] for name in _SO_FAR], axis=1),
        repeats=Repeats(nothing - 1, nothing, nothing),
        purchases=nothing,
    )
    return examples, steps.is_bought()


def _with_all(activity: DailyActivity, shoppers: tuple[str, ...]) -> tuple[DailyActivity, IntArray]:
    """Return the activity with shoppers of whom it knows nothing behind its own, and the place of each asked one."""
    known = {name: number for number, name in enumerate(activity.shoppers)}
    unknown = tuple(name for name in shoppers if name not in known)
    known |= {name: len(activity.shoppers) + number for number, name in enumerate(unknown)}
    place = np.array([known[name] for name in shoppers], dtype=np.int64)
    return replace(activity, shoppers=(*activity.shoppers, *unknown)), place
