"""A registered ordering policy is loaded from its own files, with nothing of this project but what it carries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from rl.errors import PolicyError
from rl.inventory.served_orders import ServedOrders
from rl.registry.pyfunc_model import save_orders_pyfunc
from tests.rl.inventory.an_order_policy import PRODUCTS, a_network, a_policy
from tests.rl.inventory.test_order_policy import EMPTY, FORECASTS, ONES, of_method

COLUMNS = {
    "item_id": list(PRODUCTS),
    "units_in_0d": [0, 0, 0],
    "units_in_1d": [0, 0, 0],
    **{f"forecast_{day}d": FORECASTS[:, day].tolist() for day in range(3)},
}
_ASK = """
import os
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
import mlflow.pyfunc, pandas as pd, sys
model = mlflow.pyfunc.load_model(sys.argv[1])
print(model.predict(pd.DataFrame({columns!r}))["order"].tolist())
assert "torch" not in sys.modules
"""


def test_orders_are_those_of_the_policy() -> None:
    """Levels beside them."""
    policy = a_policy(method="hindsight", network=a_network())
    found = ServedOrders(policy).predict(COLUMNS)
    level, order = policy.of(PRODUCTS, ONES).advise(EMPTY)
    assert found["order"].tolist() == order.tolist()
    np.testing.assert_array_equal(found["target_level"], level)
    assert set(found["policy_version"]) == {policy.version}


def test_a_plan_is_served_as_it_is_led() -> None:
    """Products without a table among them."""
    policy = of_method("plan")
    found = ServedOrders(policy).predict(COLUMNS)
    assert found["order"].tolist() == policy.of(PRODUCTS, ONES).order(EMPTY).tolist()


def test_a_call_tells_which_products_don_t_keep() -> None:
    """A pack that is larger than what is wanted is ordered as the policy orders it; days below 0 are refused."""
    large: dict[str, list[object]] = {**COLUMNS, "pack_size": [1, 1, 100]}
    asked = ServedOrders(a_policy())
    assert asked.predict(large)["order"].tolist()[2] == 100
    wasted = {**large, "shelf_days": [0, 0, 3], "waste_cost": [0.0, 0.0, 5.0]}
    assert asked.predict(wasted)["order"].tolist()[2] == 0
    assert asked.predict({**large, "shelf_days": [0, 0, 3]})["order"].tolist()[2] == 100
    with pytest.raises(PolicyError, match="shelf_days and waste_cost are at least 0"):
        asked.predict({**large, "shelf_days": [0, 0, -1]})


def test_limits_of_a_call_go_before_those_of_the_fit() -> None:
    """What isn't given, or -1, is as it was fitted; 0 stands for no limit; shared limits as for the policy."""
    policy = a_policy(least_order=2, most_units=30)
    asked = ServedOrders(policy)
    usual = asked.predict(COLUMNS)["order"].tolist()
    assert asked.predict(COLUMNS, {"least_order": -1, "most_units": -1})["order"].tolist() == usual
    assert max(usual) > 8
    assert max(asked.predict(COLUMNS, {"most_units": 8})["order"]) == 8
    free = ServedOrders(a_policy()).predict(COLUMNS)["order"].tolist()
    assert asked.predict(COLUMNS, {"least_order": 0, "most_units": 0})["order"].tolist() == free
    shared = ServedOrders(a_policy(shared_limit=1_000))
    room = COLUMNS | {"room": [1, 1, 1]}
    assert shared.predict(room)["order"].sum() > 12 >= shared.predict(room, {"shared_limit": 12})["order"].sum() > 8
    with pytest.raises(PolicyError, match=r"got 1\.9"):
        shared.predict(COLUMNS | {"room": [1, 1.9, 1]})
    with pytest.raises(PolicyError, match="fitted without one"):
        asked.predict(COLUMNS, {"shared_limit": 12})
    with pytest.raises(PolicyError, match=r"most_units is 1\.5; expected a whole number"):
        asked.predict(COLUMNS, {"most_units": 1.5})


def test_a_saved_model_orders_with_pickle_disabled_and_without_torch(tmp_path: Path) -> None:
    """In a process that finds nothing of the project but what the model carries."""
    policy = a_policy(method="hindsight", network=a_network())
    policy.save(tmp_path / "policy")
    save_orders_pyfunc(tmp_path / "policy", tmp_path / "model")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    script = _ASK.format(columns=COLUMNS)
    found = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == str(policy.of(PRODUCTS, ONES).order(EMPTY).tolist())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"forecast_2d": None}, "lack the columns forecast_2d"),
        ({"units_in_0d": ["many", 0, 0]}, "whole numbers"),
        ({"forecast_0d": [-1.0, 1.0, 1.0]}, "at least 0"),
        ({"units_in_0d": [2.9, 0, 0]}, r"whole numbers, forecasts numbers: got 2\.9"),
        ({"pack_size": [1, 2.5, 1]}, r"got 2\.5"),
        ({"pack_size": [1, None, 1]}, "got None"),
        ({"units_in_1d": [0, float("nan"), 0]}, "got nan"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changes: dict[str, object], expected: str) -> None:
    """Before anything is ordered."""
    columns = {name: value for name, value in (COLUMNS | changes).items() if value is not None}
    with pytest.raises(PolicyError, match=expected):
        ServedOrders(a_policy()).predict(columns)


def test_a_saved_model_names_its_columns_and_answers_its_own_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's page shows what a call has to hold; columns of another type are refused before they are asked."""
    monkeypatch.setattr(sys, "path", list(sys.path))  # loading puts the model's code in front of the project's
    policy = a_policy(method="hindsight", network=a_network())
    policy.save(tmp_path / "policy")
    save_orders_pyfunc(tmp_path / "policy", tmp_path / "model")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    days = range(policy.costs.lead_time)
    assert [one.name for one in model.metadata.signature.inputs] == [
        "item_id",
        *(f"units_in_{day}d" for day in days),
        *(f"forecast_{day}d" for day in (*days, policy.costs.lead_time)),
        "pack_size",
        "shelf_days",
        "waste_cost",
    ]
    (order,) = model.predict(model.input_example)["order"]
    assert order >= 0
    assert sorted(one.name for one in model.metadata.signature.params) == ["least_order", "most_units"]
    assert model.predict(model.input_example, params={"most_units": 12})["order"].tolist() == [0]
    with pytest.raises(MlflowException, match="forecast_0d"):
        model.predict(model.input_example.assign(forecast_0d="many"))
