"""Plans over a handful of rows are interpreted: compiling them would take far longer than running them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

_FOR_FEW_ROWS = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}


@pytest.fixture(scope="module", autouse=True)
def interpreted_plans(request: pytest.FixtureRequest) -> Iterator[None]:
    """Spark interprets plans while a module with few rows runs; modules on real logs name themselves `real`."""
    needs_spark = any(
        "spark" in getattr(item, "fixturenames", ())
        for item in request.session.items
        if getattr(item, "module", None) is request.module
    )
    if not needs_spark or "real" in request.module.__name__:
        yield
        return
    spark: SparkSession = request.getfixturevalue("spark")
    before = {name: spark.conf.get(name) for name in _FOR_FEW_ROWS}
    for name, value in _FOR_FEW_ROWS.items():
        spark.conf.set(name, value)
    yield
    for name, old in before.items():
        spark.conf.set(name, str(old))
