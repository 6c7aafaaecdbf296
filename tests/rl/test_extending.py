"""What docs/extending.md shows is run from outside: each block registers itself, and the real thing uses it."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

from conf.errors import SpecError
from conf.kernel.session_features import SESSION_SCALARS
from conf.kernel.transitions import StreamTransitions
from conf.observation_features import OBSERVATION_FEATURES
from conf.settings import PROJECT_ROOT
from conf.specs.candidate import DISCRETE_ALGORITHMS, Candidate
from conf.specs.problem import Feature
from conf.specs.scenario import SCENARIOS_FOLDER, Pipeline, Scenario, load_pipeline
from conf.specs.source import SOURCES_FOLDER, Source
from conf.specs.strict_yaml import parse_model
from conf.tables import transitions_table
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.data.shopper_segments import SEGMENTS, segments_of
from rl.gate.rules import RULES, Decision, GateEvidence, GateRules, judge
from rl.gate.split_losses import SplitLosses
from rl.learning.candidates import find_candidate
from rl.learning.training import TrainingSettings, train_candidate
from rl.ope.estimators.registry import ESTIMATORS, nightly_estimators
from rl.ope.intervals.intervals import Interval, Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, evaluate_policies
from rl.ope.samples.ratio_balance import RatioBalance
from rl.ope.samples.sample import evaluation_sample
from rl.ope.segments import SegmentFloors, segment_values
from rl.page.render import render_page
from tests.conf.kernel.comparison import kernel_transitions
from tests.conf.kernel.made_logs import MadeLog
from tests.jobs.formats.plain_events import plain_log
from tests.rl.factories import make_logged_episodes, make_pipeline
from tests.rl.ope.tabular_mdp import small_mdp
from tests.rl.page.content_factory import estimate, review

PAGE = PROJECT_ROOT / "docs" / "extending.md"
PACKAGE = "my_shop"
REGISTRIES: tuple[dict[str, Any], ...] = (
    ESTIMATORS,
    DISCRETE_ALGORITHMS,
    SEGMENTS,
    RULES,
    SESSION_SCALARS,
    OBSERVATION_FEATURES,
)
# A feature's function and what it means stand apart, since a DAG reads the one and not the other.
N_ENTRIES = {"feature": 2}
GAMMA = 0.9
NO_FUTURE = 1e-300  # a discount that is 0 in single precision

Register = Callable[[str], ModuleType]


def yaml_blocks() -> dict[str, str]:
    """The page's YAML by the file that its first line names."""
    found = re.findall(r"```yaml\n# conf/(\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    return dict(found)


def blocks() -> dict[str, str]:
    """The page's blocks of code by the module that their first line names."""
    found = re.findall(rf"```python\n# {PACKAGE}/(\w+)\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    return dict(found)


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """Writes a block as a module of a package outside the project and imports it; everything is undone afterwards."""
    before = [dict(registry) for registry in REGISTRIES]
    monkeypatch.syspath_prepend(tmp_path)

    def imported(name: str) -> ModuleType:
        (tmp_path / PACKAGE).mkdir()
        (tmp_path / PACKAGE / "__init__.py").touch()
        (tmp_path / PACKAGE / f"{name}.py").write_text(blocks()[name], encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module(f"{PACKAGE}.{name}")

    yield imported
    for registry, content in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(content)
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_the_page_shows_every_kind() -> None:
    """No block of code stands on the page that no test runs."""
    assert set(blocks()) == {"estimator", "learner", "segment", "gate_rule", "feature"}
    assert PAGE.read_text(encoding="utf-8").count("```python") == len(blocks())
    assert set(yaml_blocks()) == {"sources/my_shop.yaml", "scenarios/recommendation.yaml"}
    assert PAGE.read_text(encoding="utf-8").count("```yaml") == len(yaml_blocks()) + len(fragments())


@pytest.mark.parametrize("name", sorted(blocks()))
def test_a_block_is_less_than_twenty_lines_and_one_entry(name: str) -> None:
    """Imports and blank lines included; one function and one entry, of a feature two."""
    lines = blocks()[name].splitlines()
    assert len(lines) < 20
    assert sum(bool(re.match(r"\s*def ", line)) for line in lines) == 1
    assert sum(bool(re.match(r"[A-Z_]+\[\".*\"\] = ", line)) for line in lines) == N_ENTRIES.get(name, 1)


def fragments() -> list[dict[str, Any]]:
    """Keys that are shown beside a step, for a source or a scenario that has others."""
    found = re.findall(r"^   ```yaml\n(.*?)^   ```", PAGE.read_text(encoding="utf-8"), flags=re.S | re.M)
    return [yaml.safe_load(dedent(one)) for one in found]


def test_keys_of_attributes_fit_a_source_and_a_scenario() -> None:
    of_source, of_scenario = fragments()
    source = yaml.safe_load((SOURCES_FOLDER / "canonical.yaml").read_text(encoding="utf-8"))
    assert parse_model(Source, source | of_source, "shop.yaml").item_attributes is not None
    scenario = yaml.safe_load((SCENARIOS_FOLDER / "recommendation.yaml").read_text(encoding="utf-8"))
    scenario.pop("overrides", None)
    found = parse_model(Scenario, scenario | of_scenario, "scenario.yaml")
    assert [one.name for one in found.action.attributes] == ["price", "grams", "brand"]


@pytest.mark.parametrize("name", sorted(yaml_blocks()))
def test_yaml_is_less_than_twenty_lines(name: str) -> None:
    """Of a source and of a reward."""
    assert len(yaml_blocks()[name].splitlines()) < 20


def my_shop(folder: Path) -> Pipeline:
    """The shop's source and the shipped scenario with its reward, as files of a project that isn't this one."""
    (folder / "sources").mkdir()
    (folder / "scenarios").mkdir()
    (folder / "sources" / "my_shop.yaml").write_text(yaml_blocks()["sources/my_shop.yaml"], encoding="utf-8")
    scenario = yaml.safe_load((SCENARIOS_FOLDER / "recommendation.yaml").read_text(encoding="utf-8"))
    scenario |= yaml.safe_load(yaml_blocks()["scenarios/recommendation.yaml"])
    (folder / "scenarios" / "recommendation.yaml").write_text(yaml.safe_dump(scenario), encoding="utf-8")
    return load_pipeline("recommendation", "my_shop", folder=folder / "scenarios", sources_folder=folder / "sources")


def test_a_source_reads_a_log(tmp_path: Path) -> None:
    """Three lines of four become events, in Berlin's time; one means nothing."""
    lines = ["at;what;customer;sku;chance", "05.01.2026 10:00:00;shown;7;a;0.25", "05.01.2026 10:00:05;opened;7;a;"]
    lines += ["05.01.2026 10:00:06;ping;7;;", "05.01.2026 10:02:00;bought;7;a;"]
    log = tmp_path / "logs" / "log-2026-01-05.csv"
    log.parent.mkdir()
    log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    found = plain_log(my_shop(tmp_path).source, log.parent, "item_id", "propensity")
    assert found.events == [
        ("2026-01-05T09:00:00", "impression", "7", "a", Decimal("0.25")),
        ("2026-01-05T09:00:05", "click", "7", "a", None),
        ("2026-01-05T09:02:00", "purchase", "7", "a", None),
    ]
    assert [row[1:] for row in found.rejected] == [(4, "ignored", None)]


def shop_rows(*events: tuple[str, int]) -> list[dict[str, Any]]:
    """Events of one shopper and one item, by type and minute of a morning."""
    names = ("category_id", "action", "price", "decision_id", "availability_id", "position")
    day = date(2026, 1, 5)
    return [
        dict.fromkeys(names)
        | {
            "event_id": f"e{number}",
            "user_id": "ann",
            "item_id": "a",
            "event_type": kind,
            "event_time": datetime(2026, 1, 5, 9, minute, tzinfo=UTC),
            "event_date": day,
            "delivery_date": day,
        }
        for number, (kind, minute) in enumerate(events)
    ]


def made_of(pipeline: Pipeline, rows: list[dict[str, Any]]) -> StreamTransitions:
    """What the kernel makes of the day's rows, as of its end."""
    day = rows[0]["event_date"]
    return kernel_transitions(MadeLog(pipeline, rows, [], [day], day))[1]


def test_a_reward_is_earned_by_the_decision_before(tmp_path: Path) -> None:
    """A click and two purchases of which one is given back: 1 + 20 and 20 - 20, in millionths."""
    rows = shop_rows(
        ("impression", 0), ("click", 1), ("purchase", 2), ("impression", 3), ("purchase", 4), ("refund", 5)
    )
    made = made_of(my_shop(tmp_path), rows)
    assert made.reward.tolist() == [21_000_000, 0]


def test_a_feature_from_outside_is_observed(register: Register, tmp_path: Path) -> None:
    """A scenario that names it gets it from the kernel: refunds before each decision, none after."""
    pipeline = my_shop(tmp_path)
    register("feature")
    observation = pipeline.scenario.observation
    feature = Feature(name="n_session_refunds")
    features = observation.model_copy(update={"features": (*observation.features, feature)})
    scenario = pipeline.scenario.model_copy(update={"observation": features})
    pipeline = pipeline.model_copy(update={"scenario": scenario})
    rows = shop_rows(
        ("impression", 0), ("refund", 1), ("impression", 2), ("refund", 3), ("refund", 4), ("impression", 5)
    )
    assert made_of(pipeline, rows).observation["n_session_refunds"].tolist() == [0, 1, 3]
    assert "n_session_refunds" in transitions_table(scenario).ddl


def test_an_estimator_is_reported_beside_those_of_a_night(register: Register) -> None:
    """It has a value, an interval and an effective sample size for each policy, and its weights are limited."""
    mdp = small_mdp(end_probability=0.5)
    train, test = (mdp.log(mdp.random_policy(1), n_episodes=400, seed=seed, n_units=200) for seed in (0, 1))
    policy = mdp.random_policy(2, sharpness=2.0)
    assert "capped_pdis" not in nightly_estimators()
    register("estimator")
    assert nightly_estimators()[-1] == "capped_pdis"
    settings = EvaluationSettings(
        DiscountFunction(GAMMA), resampling=Resampling(200), fqe=FqeSettings(method="linear")
    )  # no estimator is named: those of a night
    evaluation = evaluate_policies({"candidate": policy}, train=train, test=test, settings=settings)
    found = evaluation.report("candidate", "capped_pdis")
    sample = evaluation_sample(policy, test, discount=DiscountFunction(GAMMA))
    weight = np.minimum(sample.require_weights(), 5.0)
    assert sample.require_weights().max() > 5
    assert found.value == pytest.approx(float((sample.discount * weight * sample.reward).sum()) / test.n_episodes)
    assert found.value != pytest.approx(evaluation.report("candidate", "pdis").value)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found.value < found.upper
    assert evaluation.report(BEHAVIOR, "capped_pdis").value == pytest.approx(evaluation.report(BEHAVIOR, "pdis").value)


def test_an_estimator_from_outside_stands_on_the_page(register: Register) -> None:
    """Under its own name, though the page knows no meaning of it."""
    register("estimator")
    page = review()
    candidate = page.policies[1]
    shown = candidate.model_copy(update={"estimates": (*candidate.estimates, estimate("capped_pdis", 1.4))})
    html = render_page(page.model_copy(update={"policies": (page.policies[0], shown)}))
    assert "capped_pdis" in html


def test_a_learner_is_named_by_a_spec_and_trained(register: Register) -> None:
    """A scenario may name it; on a small log it learns what its discount says, not what the scenario's does."""
    with pytest.raises(SpecError, match="got 'myopic_cql'"):
        scenario_with("myopic_cql")
    register("learner")
    log = random_log()
    myopic = trained_outputs("myopic_cql", log, gamma=GAMMA)
    assert np.isfinite(myopic).all()
    assert np.array_equal(myopic, trained_outputs("discrete_cql", log, gamma=NO_FUTURE))
    assert not np.allclose(myopic, trained_outputs("discrete_cql", log, gamma=GAMMA))


def test_a_learner_that_counts_steps_is_refused_where_days_discount(register: Register) -> None:
    """Its entry says nothing of elapsed time, so a scenario per day is refused as it is read."""
    register("learner")
    by_day = {"discount": {"per": "day", "gamma": 0.9}}
    with pytest.raises(SpecError, match=r"discount\.per is day, but myopic_cql discounts every step alike"):
        scenario_with("myopic_cql", **by_day)
    assert scenario_with("discrete_cql", **by_day).discount.per == "day"


def test_a_learner_takes_the_parameters_of_its_entry_alone(register: Register) -> None:
    """What the entry doesn't name is refused, as of any learner."""
    register("learner")
    Candidate(algorithm="myopic_cql", seeds=(1,), n_updates=1, conservative_weight=0.5)
    with pytest.raises(ValueError, match="myopic_cql takes no expectile"):
        Candidate(algorithm="myopic_cql", seeds=(1,), n_updates=1, expectile=0.5)


def test_a_segment_has_values_on_a_log(register: Register) -> None:
    """Its parts are among the segments of the episodes, each with candidate, baseline and gain."""
    mdp = small_mdp(end_probability=0.5)
    log = mdp.log(mdp.random_policy(1), n_episodes=600, seed=0, n_units=300)
    observation = {"n_past_sessions_days": np.arange(log.n_episodes) % 6}
    assert "regularity" not in {one.dimension for one in segments_of(observation, {}, of_episodes=True)}
    register("segment")
    report = segment_values(
        evaluation_sample(mdp.random_policy(2), log, discount=DiscountFunction(GAMMA)),
        evaluation_sample(None, log, discount=DiscountFunction(GAMMA)),
        segments_of(observation, {}, of_episodes=True),
        estimator_name="wpdis",
        floors=SegmentFloors(0.0, 0.0),
        confidence=0.95,
        resampling=Resampling(200),
    )
    found = {value.label: value for value in report.values if value.dimension == "regularity"}
    labels = ["no day with a visit", "1 to 3 days with a visit", "4 or more days"]
    assert list(found) == labels
    assert [found[label].n_episodes for label in labels] == [100, 300, 200]
    assert all(value.gain is not None for value in found.values())


@pytest.mark.parametrize(
    ("gain", "before", "after"),
    [
        (0.4, Decision.PROMOTE, Decision.PROMOTE),
        (0.05, Decision.PROMOTE, Decision.PROMOTE),
        (0.04, Decision.PROMOTE, Decision.REJECT),
        (-0.4, Decision.REJECT, Decision.REJECT),
        (None, Decision.ABSTAIN, Decision.ABSTAIN),
    ],
)
def test_a_rule_of_the_gate_takes_part_in_the_verdict(
    register: Register, gain: float | None, before: Decision, after: Decision
) -> None:
    """It adds a line to the checks, and rejects what it says it rejects, with its own sentence."""
    rules = GateRules(alpha=0.01, min_effective_sample_size=200, min_effective_rewarded=100)
    plain = judge(evidence(gain), rules)
    register("gate_rule")
    verdict = judge(evidence(gain), rules)
    assert (plain.decision, verdict.decision) == (before, after)
    assert [check.name for check in verdict.checks] == [*(check.name for check in plain.checks), "worth_a_release"]
    assert (before is after) or verdict.reasons == (
        "The gain is +0.04 points per episode; a release takes at least +0.05.",
    )


def test_nothing_stays_registered() -> None:
    """Other tests see the project's own entries alone."""
    own = {"capped_pdis", "myopic_cql", "regularity", "worth_a_release", "n_session_refunds"}
    assert not any(own & set(registry) for registry in REGISTRIES)


def scenario_with(algorithm: str, **changes: Any) -> Scenario:
    """The recommendation scenario with one small candidate."""
    content = make_pipeline().scenario.model_dump()
    candidate = {"algorithm": algorithm, "seeds": [1], "n_updates": 20, "batch_size": 32, "hidden_units": [16]}
    return parse_model(Scenario, content | {"candidates": [candidate]} | changes, "test")


def random_log(n: int = 120) -> LoggedEpisodes:
    generator = np.random.default_rng(0)
    features, following = generator.normal(size=(2, n, 4)).astype(np.float32)
    reward = generator.normal(size=n)
    return make_logged_episodes([3] * (n // 3), features=features, next_features=following, reward=reward)


def trained_outputs(algorithm: str, log: LoggedEpisodes, *, gamma: float) -> Any:
    """What the network of the scenario's candidate gives for each row and action after a few updates."""
    seeded = find_candidate(scenario_with(algorithm), f"{algorithm}-1")
    return train_candidate(seeded, log, None, TrainingSettings(DiscountFunction(gamma))).network.forward(log.features)


def evidence(gain: float | None) -> GateEvidence:
    """Evidence that is promoted where there is a gain."""
    return GateEvidence(
        candidate="candidate",
        baseline="champion 3",
        estimator="dr",
        unit_of_value="points",
        is_logged=True,
        difference=None if gain is None else Interval(gain, gain / 2, 2 * gain, 0.98, "test", 0.1),
        effective_sample_size=900.0,
        effective_rewarded=300.0,
        effective_differing=400.0,
        balances={"candidate": RatioBalance(1.0, 0.004)},
        losses=SplitLosses(shift=0.0, standard_error=0.1, n_units=900, n_differing=400.0),
    )
