from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rl.errors import PolicyError
from rl.policy import load_policy
from tests.rl.policy.policies import make_observations, make_policy


def test_policy_survives_its_files(tmp_path: Path) -> None:
    """A policy read back decides alike and has the same version."""
    policy = make_policy(temperature=0.3, has_other=True)
    policy.save(tmp_path)
    loaded = load_policy(tmp_path)
    features = policy.encode(make_observations())
    mask = np.ones((4, 4), dtype=bool)
    assert np.array_equal(loaded.probabilities(features, mask), policy.probabilities(features, mask))
    assert loaded.version == policy.version
    assert sorted(path.name for path in tmp_path.iterdir()) == ["policy.json", "weights.safetensors"]


def test_version_changes_with_anything_that_decides() -> None:
    """Temperature, floor, weights and vocabulary are part of the version."""
    policies = [
        make_policy(),
        make_policy(temperature=0.5),
        make_policy(exploration_floor=0.2),
        make_policy(seed=1),
        make_policy("a", "b", "x"),
        make_policy().with_temperature(0.2),
        make_policy(output_scale=2.0),
    ]
    assert len({policy.version for policy in policies}) == len(policies)
    assert make_policy().with_temperature(0.5).version == policies[1].version


def test_temperature_and_scale_divide_outputs() -> None:
    """Twice the scale at half the temperature is the same policy."""
    features = make_policy().encode(make_observations())
    mask = np.ones((4, 3), dtype=bool)
    first = make_policy(output_scale=2.0, temperature=0.5).probabilities(features, mask)
    assert np.allclose(first, make_policy().probabilities(features, mask))


def test_act_reports_the_probability_of_what_it_did() -> None:
    """The propensity is the taken action's probability, which a later evaluation divides by."""
    policy = make_policy()
    found = policy.act(make_observations(), seed=5)
    features = policy.encode(make_observations())
    expected = policy.probabilities(features, np.ones((4, 3), dtype=bool))
    assert np.array_equal(found.probabilities, expected)
    assert np.array_equal(found.propensity, expected[np.arange(4), found.index])
    assert found.actions == [policy.vocabulary.keys[i] for i in found.index]


def test_act_repeats_with_its_seed() -> None:
    """A seed fixes the draw; other seeds draw otherwise."""
    policy = make_policy(exploration_floor=1.0)
    observations = make_observations(100)
    first, again, other = (policy.act(observations, seed=seed).actions for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_act_keeps_to_what_is_available() -> None:
    """Unknown keys are ignored; None stands for all actions."""
    policy = make_policy()
    found = policy.act(make_observations(), [["b"], ["zzz", "c"], ["a", "b"], None], seed=0)
    assert found.actions[:2] == ["b", "c"]
    assert found.propensity[:2].tolist() == [1.0, 1.0]
    assert found.probabilities[2, 2] == 0
    assert (found.probabilities[3] > 0).all()


def test_act_refuses_a_row_with_nothing_to_choose() -> None:
    """A set that holds nothing the policy knows is an error, not a guess."""
    with pytest.raises(PolicyError, match="1 of 4 rows have no available action, such as row 2"):
        make_policy().act(make_observations(), [["a"], ["a"], ["zzz"], None])


def test_act_refuses_availability_for_other_rows() -> None:
    """There is one list per observation."""
    with pytest.raises(PolicyError, match="2 availability lists for 4 observations"):
        make_policy().act(make_observations(), [["a"], ["a"]])


def test_other_is_never_served() -> None:
    """`(other)` names no action, so it is never drawn, whatever its output."""
    for is_other_chosen in (True, False):
        policy = make_policy("a", "b", has_other=True, is_other_chosen=is_other_chosen, exploration_floor=1.0)
        found = policy.act(make_observations(200), seed=0)
        assert set(found.actions) == {"a", "b"}
        assert (found.probabilities[:, 2] == 0).all()


def test_other_keeps_its_probability_on_implied_logs() -> None:
    """Where decisions are implied, `(other)` is what many shoppers did and has a probability in evaluation."""
    policy = make_policy("a", "b", has_other=True, is_other_chosen=True)
    features = policy.encode(make_observations())
    assert (policy.probabilities(features, np.ones((4, 3), dtype=bool))[:, 2] > 0).all()


def test_other_has_no_probability_on_logged_decisions_unless_alone() -> None:
    """What isn't served earns nothing in evaluation; a row with nothing else still has a distribution."""
    policy = make_policy("a", "b", has_other=True)
    features = policy.encode(make_observations(2))
    found = policy.probabilities(features, np.array([[True, True, True], [False, False, True]]))
    assert found[0, 2] == 0
    assert found[1].tolist() == [0.0, 0.0, 1.0]


def test_probabilities_refuse_an_empty_mask() -> None:
    """No action, no distribution."""
    policy = make_policy()
    with pytest.raises(PolicyError, match="no available action"):
        policy.probabilities(policy.encode(make_observations(1)), np.zeros((1, 3), dtype=bool))


def test_policy_refuses_parts_that_do_not_fit() -> None:
    """All that doesn't fit is named."""
    policy = make_policy()
    with pytest.raises(PolicyError, match=r"3 outputs for 2 actions; temperature and"):
        replace(policy, vocabulary=make_policy("a", "b").vocabulary, temperature=0.0)


@pytest.mark.parametrize("name", ["policy.json", "weights.safetensors"])
def test_load_refuses_missing_and_broken_files(tmp_path: Path, name: str) -> None:
    """A policy folder that isn't whole is named."""
    make_policy().save(tmp_path)
    (tmp_path / name).write_bytes(b"broken")
    with pytest.raises(PolicyError, match="not a policy"):
        load_policy(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(PolicyError, match=f"{name}: no such file"):
        load_policy(tmp_path)


def test_load_refuses_files_that_were_not_written_together(tmp_path: Path) -> None:
    """Weights of another policy of the same shape are noticed by the version."""
    make_policy().save(tmp_path)
    make_policy(seed=1).save(tmp_path / "other")
    (tmp_path / "other" / "weights.safetensors").replace(tmp_path / "weights.safetensors")
    with pytest.raises(PolicyError, match="train it again"):
        load_policy(tmp_path)


def test_policy_files_are_json_and_safetensors(tmp_path: Path) -> None:
    """Nothing in the folder is a pickle: one file is JSON, the other starts with a safetensors header."""
    make_policy().save(tmp_path)
    assert json.loads((tmp_path / "policy.json").read_text())["name"] == "test-1"
    weights = (tmp_path / "weights.safetensors").read_bytes()
    header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    assert set(header) >= {"0.weight", "0.bias", "1.weight", "1.bias"}
