"""Scenario specs: overrides by source, derived windows, and what a bad one gets."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.errors import SpecError
from conf.specs.scenario import SCENARIOS_FOLDER, Scenario, load_pipeline
from conf.specs.strict_yaml import merge, parse_model, read_yaml
from tests.conf.specs.session_sources import session_sources


def recommendation_with(**override: Any) -> dict[str, Any]:
    content = yaml.safe_load((SCENARIOS_FOLDER / "recommendation.yaml").read_text(encoding="utf-8"))
    content.pop("overrides")
    return merge(content, override)


@pytest.mark.parametrize("source", session_sources())
@pytest.mark.parametrize("scenario", ["recommendation"])
def test_load_pipeline_fits_every_source(scenario: str, source: str) -> None:
    """Each scenario can be loaded on each source of its clock."""
    pipeline = load_pipeline(scenario, source)
    assert (pipeline.scenario.name, pipeline.source.name) == (scenario, source)


def test_load_pipeline_lays_the_override_over_its_source_alone() -> None:
    """Taobao decides categories; the simulated shop keeps the default."""
    assert load_pipeline("recommendation", "taobao").scenario.action.key == "category"
    assert load_pipeline("recommendation", "simulated_shop").scenario.action.key == "item"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            {"taobbao": {"action": {"key": "category"}}},
            "overrides.taobbao: no source has this name; did you mean 'taobao'",
        ),
        ({"taobao": None}, "overrides.taobao: expected a mapping of a scenario's keys, got None"),
        (["taobao"], "overrides: expected a mapping of a scenario's keys"),
    ],
)
def test_load_pipeline_refuses_overrides_that_would_do_nothing(tmp_path: Path, overrides: Any, expected: str) -> None:
    """A mistyped source's name doesn't leave the scenario as it was, without a word."""
    content = read_yaml(SCENARIOS_FOLDER / "recommendation.yaml") | {"overrides": overrides}
    (tmp_path / "recommendation.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SpecError, match=expected):
        load_pipeline("recommendation", "taobao", folder=tmp_path)


def test_overrides_of_weights_replace_them(tmp_path: Path) -> None:
    """What one shop's events earn is one answer: a purchase alone doesn't leave clicks and carts beside it."""
    content = read_yaml(SCENARIOS_FOLDER / "recommendation.yaml")
    content["overrides"] = {"taobao": {**content["overrides"]["taobao"], "reward": {"weights": {"purchase": 1}}}}
    content["reward"]["attribution"] = {"link": "last_touch", "window_hours": 12}
    (tmp_path / "recommendation.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    reward = load_pipeline("recommendation", "taobao", folder=tmp_path).scenario.reward
    assert reward.weights == {"purchase": 1}
    assert reward.unit == content["reward"]["unit"]
    assert load_pipeline("recommendation", "simulated_shop", folder=tmp_path).scenario.reward.weights["click"] == 1


def test_pipeline_settles_after_lateness_session_gap_and_window() -> None:
    """12 h window + 4 h session + 1 h gap fit in a day, and the late day comes on top."""
    assert load_pipeline("recommendation", "simulated_shop").settle_days == 2


def test_pipeline_embargo_is_never_shorter_than_is_safe() -> None:
    """A spec that asks for a shorter embargo gets attribution window plus longest session."""
    pipeline = load_pipeline("recommendation", "taobao")
    shorter = pipeline.scenario.model_copy(
        update={"splits": pipeline.scenario.splits.model_copy(update={"embargo_hours": 1})}
    )
    assert pipeline.model_copy(update={"scenario": shorter}).embargo_hours == 12 + 6


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ({"splits": {"train": 0.9}}, "must sum to 1"),
        ({"observation": {"features": [{"name": "recent_shown_item", "length": 3}]}}, "mean 'recent_shown_items'"),
        ({"observation": {"features": [{"name": "session_step", "length": 3}]}}, "give length for a list feature"),
        ({"observation": {"features": [{"name": "session_step"}, {"name": "session_step"}]}}, "stand twice"),
        ({"reward": {"weights": {"click": 0.12345678}}}, "more than six decimals: click"),
        ({"gate": {"guardrails": [{"metric": "refund", "max_relative_increase": 0}]}}, "did you mean 'refunds'"),
        ({"gate": {"guardrails": [{"metric": "clicks"}]}}, "guardrail on clicks: give exactly one of"),
        (
            {"gate": {"guardrails": [{"metric": "carts", "max_relative_increase": 0.1, "max_relative_decrease": 0}]}},
            "exactly one of max_relative_increase and max_relative_decrease",
        ),
        ({"gate": {"guardrails": [{"metric": "clicks", "max_relative_decrease": 1}]}}, "less than 1"),
        ({"gate": {"guardrails": [{"metric": "clicks", "max_relative_decrease": -0.1}]}}, "greater than or equal to 0"),
        ({"evaluation": {"also": ["dr_s"]}}, "also.0: got 'dr_s'; did you mean 'drl_s'"),
        ({"evaluation": {"also": ["wdr"]}}, "also.0: got 'wdr'; known: drl_s"),
        ({"evaluation": {"also": ["drl_s", "drl_s"]}}, "estimators stand twice: drl_s"),
        ({"discount": {"per": "hour", "gamma": 0.9}}, "discount.per: got 'hour'; known: day, step"),
        ({"candidates": [{"algorithm": "cql", "seeds": [1], "n_updates": 1}]}, "did you mean|known"),
    ],
)
def test_scenario_names_what_does_not_fit(override: dict[str, Any], expected: str) -> None:
    """A contradiction in a spec is an error that says what was expected."""
    with pytest.raises(SpecError, match=expected):
        parse_model(Scenario, recommendation_with(**override), "recommendation.yaml")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            {"candidates": [{"algorithm": "bc", "seeds": [1], "n_updates": 5, "action_scores": "by_attributes"}]},
            "bc scores actions by_attributes, and action.attributes lists none",
        ),
        (
            {"action": {"key": "category", "attributes": [{"name": "price", "kind": "amount"}]}},
            "an action is a category",
        ),
        ({"action": {"attributes": [{"name": "price", "kind": "label"}]}}, "price is a number, read as label"),
        (
            {"action": {"attributes": [{"name": "category_id", "kind": "number"}]}},
            "category_id is a label, read as num",
        ),
        (
            {"action": {"attributes": [{"name": "a", "kind": "number"}, {"name": "a", "kind": "label"}]}},
            "stand twice: a",
        ),
        (
            {
                "action": {"attributes": [{"name": "price", "kind": "amount"}]},
                "candidates": [
                    {
                        "algorithm": "bc",
                        "seeds": [1],
                        "n_updates": 5,
                        "action_scores": "by_attributes",
                        "encoder": {"kind": "gru"},
                    }
                ],
            },
            "a gru encoder by their ids; leave out one of them",
        ),
    ],
)
def test_scenario_scores_items_by_attributes_that_it_names(override: dict[str, Any], expected: str) -> None:
    """What is asked of attributes without any, or of what has none, is refused with the cure."""
    with pytest.raises(SpecError, match=expected):
        parse_model(Scenario, recommendation_with(**override), "recommendation")


def test_scenario_without_attributes_is_written_as_before_there_were_any() -> None:
    """Hashes of older specs stay."""
    written = parse_model(Scenario, recommendation_with(), "recommendation").model_dump(mode="json")
    assert "attributes" not in written["action"]
    assert not any("action_scores" in candidate for candidate in written["candidates"])


def test_scenario_limits_rise_and_fall_by_two_guardrails() -> None:
    """Each side of a metric may be limited once."""
    rise, fall = {"metric": "clicks", "max_relative_increase": 0.2}, {"metric": "clicks", "max_relative_decrease": 0.05}
    scenario = parse_model(Scenario, recommendation_with(gate={"guardrails": [rise, fall]}), "x")
    assert [rail.max_relative_decrease for rail in scenario.gate.guardrails] == [None, 0.05]
    with pytest.raises(SpecError, match="limited by two guardrails: the fall of clicks, the rise of clicks"):
        parse_model(Scenario, recommendation_with(gate={"guardrails": [rise, fall, rise, fall]}), "x")


@pytest.mark.parametrize("source", session_sources())
def test_default_guardrail_stands_where_decisions_and_clicks_are_logged(source: str) -> None:
    """Clicks may fall by a tenth at most; sources that bring a gate of their own have no guardrail."""
    rails = load_pipeline("recommendation", source).scenario.gate.guardrails
    expected = [("clicks", 0.1)] if source in ("canonical", "simulated_shop", "served_shop") else []
    assert [(rail.metric, rail.max_relative_decrease) for rail in rails] == expected


def test_scenario_names_all_unknown_metrics_of_guardrails() -> None:
    """Every name that is no metric is reported at once."""
    rails = [{"metric": name, "max_relative_decrease": 0.1} for name in ("click", "refund")]
    with pytest.raises(SpecError, match=r"click; did you mean 'clicks'\?; refund; did you mean 'refunds'\?"):
        parse_model(Scenario, recommendation_with(gate={"guardrails": rails}), "x")


def test_load_pipeline_suggests_a_scenario(tmp_path: Path) -> None:
    """An unknown scenario is answered with a similar name."""
    (tmp_path / "recommendation.yaml").write_text(yaml.safe_dump(recommendation_with()), encoding="utf-8")
    with pytest.raises(SpecError, match="did you mean 'recommendation'"):
        load_pipeline("recomendation", "taobao", folder=tmp_path)


def test_reward_weights_are_exact_millionths() -> None:
    """0.1 becomes 100,000 millionths, whatever its binary form."""
    scenario = parse_model(Scenario, recommendation_with(reward={"weights": {"click": 0.1}}), "x")
    assert scenario.reward.weight_millionths["click"] == 100_000


def test_shipped_night_chooses_among_networks() -> None:
    """Every candidate that learns values keeps several, of which validation episodes choose one."""
    candidates = load_pipeline("recommendation", "simulated_shop").scenario.candidates
    assert all(candidate.n_checkpoints >= 3 for candidate in candidates if candidate.algorithm != "bc")


def test_load_pipeline_refuses_an_estimator_that_implied_decisions_rule_out(tmp_path: Path) -> None:
    """Taobao's decisions are implied: a weighted estimator is refused when the spec is loaded, with what to write."""
    content = recommendation_with() | {"overrides": {}}
    (tmp_path / "recommendation.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SpecError, match=r"dr weights decisions .* implied: .*\{estimator: dm\} under overrides.taobao"):
        load_pipeline("recommendation", "taobao", folder=tmp_path)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (None, "12 hours, from reward.attribution.window_hours (10) + session.max_hours (2)"),
        (0, "12 hours, raised from splits.embargo_hours (0) by reward.attribution.window_hours (10) + session.max"),
        (48, "48 hours, from splits.embargo_hours"),
    ],
)
def test_embargo_says_which_settings_make_it(stated: int | None, expected: str) -> None:
    """An embargo that is raised names the settings that raise it."""
    loaded = load_pipeline("recommendation", "simulated_shop")
    scenario = merge(
        loaded.scenario.model_dump(),
        {"splits": {"embargo_hours": stated}, "reward": {"attribution": {"window_hours": 10}}},
    )
    source = loaded.source.model_copy(update={"session": loaded.source.session.model_copy(update={"max_hours": 2})})
    pipeline = loaded.model_copy(update={"source": source, "scenario": parse_model(Scenario, scenario, "x")})
    assert pipeline.embargo_in_words.startswith(expected)


def test_exploration_that_is_not_the_policys_is_refused() -> None:
    """A key that is read and ignored would be a promise that nobody keeps."""
    with pytest.raises(SpecError, match=r"exploration\.floor is 0\.2 and policy\.exploration_floor 0\.1"):
        parse_model(Scenario, recommendation_with(exploration={"floor": 0.2}), "x")


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_control_holdout_is_a_share_of_the_shoppers(share: float) -> None:
    """Some shoppers are held out, never all."""
    with pytest.raises(SpecError, match=r"exploration\.control_holdout"):
        parse_model(Scenario, recommendation_with(exploration={"control_holdout": share}), "x")


def test_an_independent_unit_that_nothing_resamples_is_refused() -> None:
    """Intervals resample shoppers; a spec that says otherwise isn't taken at another word."""
    with pytest.raises(SpecError, match=r"evaluation\.unit.*user_id"):
        parse_model(Scenario, recommendation_with(evaluation={"unit": "session_id"}), "x")
