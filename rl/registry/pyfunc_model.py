"""A policy as an MLflow model without pickle: its two files, the loader module, and the few modules that one needs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from conf.settings import PROJECT_ROOT
from rl.inventory.order_policy import OrderPolicy, load_order_policy
from rl.inventory.served_orders import (
    AS_FITTED,
    LEAST_PARAMETER,
    MOST_PARAMETER,
    PACK_COLUMN,
    ROOM_COLUMN,
    SHARED_PARAMETER,
    SHELF_COLUMN,
    WASTE_COLUMN,
    WEEKDAY_COLUMN,
    forecast_column,
    units_column,
)
from rl.policy import StochasticPolicy, load_policy
from rl.policy.served_model import AVAILABLE_COLUMN

# Everything that rl/policy imports of this project; a test loads the model with nothing else on the path.
SERVED_CODE = ("conf/__init__.py", "conf/errors.py", "rl/__init__.py", "rl/errors.py", "rl/policy")
SERVED_PACKAGES = ("mlflow", "numpy", "pandas", "safetensors")
LOADER_MODULE = "rl.policy.served_model"
_N_SHOWN = 3
"""Available actions in a model's example."""

# The same of a policy that orders.
SERVED_ORDERS_CODE = (
    "conf/__init__.py",
    "conf/errors.py",
    "rl/__init__.py",
    "rl/errors.py",
    "rl/policy",
    "rl/data/__init__.py",
    "rl/data/logged_episodes.py",
    "rl/inventory/__init__.py",
    "rl/inventory/demand_forecast.py",
    "rl/inventory/forecast_correction.py",
    "rl/inventory/least_packs.py",
    "rl/inventory/limits.py",
    "rl/inventory/on_the_way.py",
    "rl/inventory/order_days.py",
    "rl/inventory/order_policy.py",
    "rl/inventory/plan_tables.py",
    "rl/inventory/replay.py",
    "rl/inventory/served_orders.py",
    "rl/inventory/shared_orders.py",
    "rl/inventory/shelf_life.py",
    "rl/inventory/stock.py",
    "rl/inventory/policies/__init__.py",
    "rl/inventory/policies/forecast_levels.py",
)
SERVED_ORDERS_PACKAGES = (*SERVED_PACKAGES, "scipy")
ORDERS_LOADER_MODULE = "rl.inventory.served_orders"


@contextmanager
def pyfunc_arguments(policy_folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the arguments for `mlflow.pyfunc.log_model` and `save_model`, valid while the context lasts.

    The parameter `seed` of the model's `predict` makes decisions repeatable; -1, its default, draws anew.
    """
    from mlflow.models import ModelSignature  # noqa: PLC0415  (takes seconds to import; only registering needs it)
    from mlflow.types import ParamSchema, ParamSpec  # noqa: PLC0415

    policy = load_policy(policy_folder)
    inputs, outputs = _columns(policy)
    with tempfile.TemporaryDirectory() as staged:
        code = Path(staged)
        for name in SERVED_CODE:
            _copy(PROJECT_ROOT / name, code / name)
        yield {
            "loader_module": LOADER_MODULE,
            "data_path": str(policy_folder),
            "code_paths": [str(code / "conf"), str(code / "rl")],
            "pip_requirements": [f"{name}=={version(name)}" for name in SERVED_PACKAGES],
            "signature": ModelSignature(inputs, outputs, ParamSchema([ParamSpec("seed", "long", -1)])),
            "input_example": _example(policy),
        }


def _example(policy: StochasticPolicy) -> Any:
    """Return an observation that the model takes, of somebody nothing is known of, as a data frame of one row."""
    import pandas as pd  # noqa: PLC0415  (as above)

    features = {column.name: [0] * column.length if column.length else 0 for column in policy.encoder.columns}
    return pd.DataFrame([{**features, AVAILABLE_COLUMN: list(policy.vocabulary.names[:_N_SHOWN])}])


def _columns(policy: StochasticPolicy) -> tuple[Any, Any]:
    """Return the schemas of what the model takes, the features of its encoder, and of what it answers."""
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec  # noqa: PLC0415  (as above)
    from mlflow.types.schema import Array, Map  # noqa: PLC0415

    lengths = {column.name: column.length for column in policy.encoder.columns}
    features: list[ColSpec | TensorSpec] = [
        ColSpec(Array(DataType.long) if length else DataType.long, name) for name, length in lengths.items()
    ]
    available = ColSpec(Array(DataType.string), AVAILABLE_COLUMN, required=False)
    answers: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string, "action"),
        ColSpec(DataType.double, "propensity"),
        ColSpec(Map(DataType.double), "probabilities"),
        ColSpec(DataType.string, "policy_version"),
    ]
    return Schema([*features, available]), Schema(answers)


def save_orders_pyfunc(policy_folder: Path, target: Path) -> None:
    """Write an ordering policy to the target folder as an MLflow model.

    Parameters of the model's `predict` are the limits that hold now; -1, their default, keeps those of its fit.
    """
    import mlflow.pyfunc  # noqa: PLC0415  (takes seconds to import; only registering needs it)
    from mlflow.models import ModelSignature  # noqa: PLC0415  (as above)
    from mlflow.types import ParamSchema, ParamSpec  # noqa: PLC0415  (as above)

    policy = load_order_policy(policy_folder)
    limits = (LEAST_PARAMETER, MOST_PARAMETER, *(() if policy.shared_limit is None else (SHARED_PARAMETER,)))
    parameters = ParamSchema([ParamSpec(name, "long", AS_FITTED) for name in limits])
    with tempfile.TemporaryDirectory() as staged:
        code = Path(staged)
        for name in SERVED_ORDERS_CODE:
            _copy(PROJECT_ROOT / name, code / name)
        mlflow.pyfunc.save_model(
            path=str(target),
            loader_module=ORDERS_LOADER_MODULE,
            data_path=str(policy_folder),
            code_paths=[str(code / "conf"), str(code / "rl")],
            pip_requirements=[f"{name}=={version(name)}" for name in SERVED_ORDERS_PACKAGES],
            signature=ModelSignature(*_order_columns(policy), parameters),
            input_example=_order_example(policy),
        )


def _order_columns(policy: OrderPolicy) -> tuple[Any, Any]:
    """Return the schemas of what an ordering model takes of each product, and of what it answers."""
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec  # noqa: PLC0415  (as above)

    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string, "item_id"),
        *(ColSpec(DataType.long, units_column(day)) for day in range(policy.costs.lead_time)),
        *(ColSpec(DataType.double, forecast_column(day)) for day in range(policy.n_forecasts)),
        ColSpec(DataType.long, PACK_COLUMN, required=False),
        ColSpec(DataType.long, SHELF_COLUMN, required=False),
        ColSpec(DataType.double, WASTE_COLUMN, required=False),
        *([] if policy.order_days.is_daily else [ColSpec(DataType.long, WEEKDAY_COLUMN)]),
        *([] if policy.shared_limit is None else [ColSpec(DataType.long, ROOM_COLUMN)]),
    ]
    answers: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string, "item_id"),
        ColSpec(DataType.double, "target_level"),
        ColSpec(DataType.long, "order"),
        ColSpec(DataType.string, "policy_version"),
    ]
    return Schema(inputs), Schema(answers)


def _order_example(policy: OrderPolicy) -> Any:
    """Return a product that the model takes: 12 units on hand, none on the way, 3 expected to sell each day."""
    import pandas as pd  # noqa: PLC0415  (as above)

    stock = {units_column(day): 0 if day else 12 for day in range(policy.costs.lead_time)}
    expected = {forecast_column(day): 3.0 for day in range(policy.n_forecasts)}
    more = {} if policy.order_days.is_daily else {WEEKDAY_COLUMN: policy.weekdays[0]}
    more |= {} if policy.shared_limit is None else {ROOM_COLUMN: 1}
    return pd.DataFrame([{"item_id": "item-0001", **stock, **expected, PACK_COLUMN: 1, **more}])


def save_pyfunc(policy_folder: Path, target: Path) -> None:
    """Write the policy to the target folder as an MLflow model."""
    import mlflow.pyfunc  # noqa: PLC0415  (takes seconds to import; only registering needs it)

    with pyfunc_arguments(policy_folder) as arguments:
        mlflow.pyfunc.save_model(path=str(target), **arguments)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
