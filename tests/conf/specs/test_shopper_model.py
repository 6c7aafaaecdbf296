"""Specs of shopper models: those that are shipped load, and what can't be is refused with the reason."""

from __future__ import annotations

import pytest

from conf.errors import SpecError
from conf.specs.shopper_model import MODELS_FOLDER, load_shopper_model

SPEC = """
name: mine
title: Mine
target: purchase
horizon_days: 7
active_days: 90
features: [spend]
"""


def test_every_shipped_model_loads() -> None:
    names = {path.stem for path in MODELS_FOLDER.glob("*.yaml")}
    assert {"purchase-propensity-7", "purchase-propensity-28", "churn-risk", "expected-spend"} <= names
    assert {load_shopper_model(name).name for name in names} == names


@pytest.mark.parametrize(
    ("added", "reason"),
    [
        ("windows: [28, 7]", "aren't ascending"),
        ("windows: [7, 400]", "longer than history_days 365"),
        ("learners: [trees, trees]", "learners name one twice"),
        ("split: {fit_share: 0.7, calibration_share: 0.3}", "leave no as-of days for the test"),
        ("gate: {min_slope: 1.3}", "isn't below max_slope"),
        ("horizon: 7", "did you mean 'horizon_days'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, added, reason) -> None:
    (tmp_path / "mine.yaml").write_text(f"{SPEC}{added}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=reason):
        load_shopper_model("mine", tmp_path)


def test_a_model_is_named_as_its_file(tmp_path) -> None:
    (tmp_path / "other.yaml").write_text(SPEC, encoding="utf-8")
    with pytest.raises(SpecError, match="expected 'other'"):
        load_shopper_model("other", tmp_path)
    with pytest.raises(SpecError, match="did you mean 'other'"):
        load_shopper_model("others", tmp_path)
