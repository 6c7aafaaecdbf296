"""On a public log trees are no worse than the logistic regression by more than the log can tell."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from conf.specs.shopper_model import ShopperModel, load_shopper_model
from rl.shopper_models.daily_activity import daily_activity
from rl.shopper_models.fitting import fit_shopper_model
from rl.shopper_models.judging import paired_differences

pytestmark = pytest.mark.real_data

FIRST, N_DAYS = 17_495, 9  # 2017-11-25, as days since the epoch
TYPES = {"pv": "view", "cart": "cart", "fav": "favorite", "buy": "purchase"}


def taobao(path: Path):
    """Events of the log's nine days, each delivered on its own day."""
    rows = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if len(row) == 5 and row[4]:
                local = datetime.fromtimestamp(int(row[4]), tz=UTC) + timedelta(hours=8)
                day = local.date().toordinal() - 719_163
                if FIRST <= day < FIRST + N_DAYS:
                    rows.append((row[0], TYPES[row[3]], day))
    users, kinds, days = (np.array(column) for column in zip(*rows, strict=True))
    nothing = np.zeros(len(days), dtype=np.int64)
    columns = {
        "user_id": users,
        "event_type": kinds,
        "day": days,
        "delivery_day": days,
        "spend": nothing,
        "discount": nothing,
    }
    return daily_activity(columns, complete_through=FIRST + N_DAYS - 1)


def test_trees_are_no_worse_than_logistic_on_taobao(real_data: Path) -> None:
    model = ShopperModel.model_validate(
        {
            **load_shopper_model("purchase-propensity-7").model_dump(),
            "horizon_days": 1,
            "step_days": 1,
            "active_days": 8,
            "history_days": 8,
            "windows": [1, 3, 7],
            "n_as_of_days": 8,
        }
    )
    fit = fit_shopper_model(taobao(real_data / "taobao" / "UserBehavior.csv"), model)
    against = next(one for one in paired_differences(fit, model) if one.other == "logistic")
    assert against.gain.lower > -0.005
