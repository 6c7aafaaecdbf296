"""What rules would change in tomorrow's decisions, as the service would then make them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from datetime import date
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from conf.errors import SpecError
from conf.paths import Lake
from conf.specs.scenario import load_pipeline
from rl.commands import preview as command
from rl.errors import RegistryError, ServingError
from rl.policy.action_rules import ActionRules, Eligibility
from rl.serving.histories import History
from rl.serving.preview import COLUMNS, Preview, Sample, preview
from tests.rl.policy.policies import make_policy
from tests.rl.serving.published_histories import day_of, publish_histories
from tests.rl.serving.served_home import ACTIONS, SCENARIO, SOURCE, settings_at

PIPELINE = load_pipeline(SCENARIO, SOURCE)
TODAY = date(2026, 3, 30)
NOON_US = (day_of(TODAY) * 24 + 10) * 3_600_000_000
BUYER = History(np.array([[day_of(TODAY) - 1, day_of(TODAY), 7, 2, 3, 5]], dtype=np.int64))
POLICY = make_policy("a", "b", "c", has_other=True)
BLOCKED = ActionRules(blocked=frozenset("a"))


def seen(after: ActionRules, actions: str = "abc", before: ActionRules | None = None) -> Preview:
    sample = Sample(NOON_US, {"ann": BUYER, "bob": History()}, actions)
    return preview(PIPELINE, POLICY, sample, before=before or ActionRules(), after=after)


def test_probabilities_before_and_after_are_the_policys_under_the_rules() -> None:
    found = seen(BLOCKED)
    features = POLICY.encode({"session_step": np.zeros(2, np.int64), "recent_shown_items": np.zeros((2, 5), np.int64)})
    for told, mask in ((found.before, [True, True, True, False]), (found.after, [False, True, True, False])):
        np.testing.assert_allclose(told, POLICY.probabilities(features, np.array([mask] * 2))[:, :3])
    np.testing.assert_allclose(found.moved, found.before[:, 0])


def test_who_is_eligible_is_told_by_their_histories() -> None:
    """Ann bought three things, Bob nothing."""
    buyers = ActionRules(eligibility=(Eligibility(frozenset("c"), "n_past_purchases", at_least=3),))
    found = seen(buyers)
    assert found.moved[0] == 0
    assert found.after[1].tolist() == [pytest.approx(found.after[1, 0]), pytest.approx(1 - found.after[1, 0]), 0]


@pytest.mark.parametrize(
    ("actions", "after", "expected"),
    [("xa", BLOCKED, [1.0, 0.0]), ("a", BLOCKED, [0.0])],
    ids=["uniform where the policy knows nothing", "nothing where nothing is left"],
)
def test_where_the_policy_has_nothing_to_say(actions: str, after: ActionRules, expected: list[float]) -> None:
    assert seen(after, actions).after.tolist() == [expected] * 2


def test_rules_that_the_model_carries_hold_before_and_after() -> None:
    sample = Sample(NOON_US, {"ann": BUYER}, "abc")
    found = preview(PIPELINE, POLICY.with_rules(BLOCKED), sample, before=ActionRules(), after=ActionRules())
    assert found.before[0, 0] == found.after[0, 0] == 0


def test_the_table_names_what_changes_most_first_and_the_csv_each_shopper() -> None:
    found = seen(BLOCKED)
    header, first, *_ = found.table().splitlines()
    assert header.split() == ["action", "before", "after", "change", "in", "points"]
    assert first.split() == [
        "a",
        f"{found.before[:, 0].mean():.2%}",
        "0.00%",
        f"{-100 * found.before[:, 0].mean():+.2f}",
    ]
    assert found.table(n_rows=1).splitlines()[-1] == "and 2 more that change less"
    rows = list(csv.DictReader(StringIO(found.csv_text())))
    assert (tuple(rows[0]), [row["shopper"] for row in rows]) == (COLUMNS, ["ann", "bob"])
    assert float(rows[0]["moved"]) == pytest.approx(found.moved[0], abs=1e-4)


def run(home: Path, rules: Path, **given: object) -> Mapping[str, object]:
    asked = {"version": None, "n_shoppers": 2, "seed": 0} | given
    return command.run(settings=settings_at(home), source=SOURCE, scenario=SCENARIO, rules=rules, **asked)  # type: ignore[arg-type]  # the test's own words


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(f"{{scenario: recommendation, block: [{{actions: [{ACTIONS[0]}]}}]}}")
    return path


def test_the_command_shows_a_sample_of_tomorrows_shoppers(
    home: Path, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table on stdout, the shoppers in a CSV in the home; the same seed looks at the same ones."""
    rows = [(day_of(TODAY) - 1, day_of(TODAY), 7, 1, 0, 1)]
    shoppers = dict.fromkeys(("ann", "bob", "cid"), rows)
    publish_histories(Lake(settings_at(home).lake, SOURCE), PIPELINE, TODAY, shoppers)
    found = run(home, rules)
    assert (found["as_of"], found["version"], found["n_shoppers"]) == (str(TODAY), 1, 2)
    assert (found["n_actions"], found["n_left_without"]) == (len(ACTIONS), 0)
    first = capsys.readouterr().out.splitlines()[1].split()
    assert (first[0], first[2]) == (ACTIONS[0], "0.00%")
    text = Path(str(found["csv"])).read_text()
    assert len(text.splitlines()) == 3
    run(home, rules)
    assert Path(str(found["csv"])).read_text() == text
    assert json.dumps(found)


def test_the_command_says_what_is_missing(home: Path, rules: Path, tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="run make observe"):
        run(home, rules)
    with pytest.raises(RegistryError, match="no version 7"):
        run(home, rules, version=7)
    (tmp_path / "other.yaml").write_text("{scenario: recommendation, block: [{actions: [item-7]}]}")
    with pytest.raises(SpecError, match=r"other.yaml: 1 problem.*\n.*nothing knows 'item-7'; did you mean 'item-007'"):
        run(home, tmp_path / "other.yaml")
    (tmp_path / "other.yaml").write_text("scenario: promotion")
    with pytest.raises(SpecError, match="scenario is 'promotion'"):
        run(home, tmp_path / "other.yaml")
