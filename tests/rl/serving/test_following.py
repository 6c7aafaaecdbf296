"""The follower serves what a person approved, and nothing else, from a real MLflow store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conf.specs.scenario import load_pipeline
from rl.policy import load_policy
from rl.registry.launches import begin_stage, running_launch
from rl.registry.person import Person
from rl.registry.store import open_store
from rl.registry.switching import roll_back, set_control, turn_off, turn_on
from rl.serving.following import Follower
from rl.serving.in_use import InUse, policy_folder
from tests.rl.policy.policies import make_policy
from tests.rl.serving.served_home import ACTIONS, MODEL, SCENARIO, SOURCE, promote, register, settings_at

ANN = Person("ann", "for a test")


def follower(home: Path, source: str = SOURCE) -> Follower:
    return Follower(settings_at(home), load_pipeline(SCENARIO, source))


def told(found: InUse) -> tuple[int | None, bool, bool]:
    return found.version, found.is_off, bool(found.problem)


def move(home: Path, alias: str, version: int | None) -> None:
    with open_store(settings_at(home)) as client:
        if version is None:
            client.delete_registered_model_alias(MODEL, alias)
        else:
            client.set_registered_model_alias(MODEL, alias, str(version))


def test_the_approved_champion_is_fetched_and_then_followed(home: Path) -> None:
    """Through a promotion and a rollback; its policy lies next to the service, whole."""
    one = follower(home)
    assert told(one.look()) == (1, False, False)
    fetched = load_policy(policy_folder(home, SOURCE, SCENARIO, 1))
    assert fetched.version == make_policy(*ACTIONS, seed=0).version
    promote(home, 1)
    assert told(one.look()) == (2, False, False)
    with open_store(settings_at(home)) as client:
        roll_back(client, settings_at(home), MODEL, ANN)
    assert told(one.look()) == (1, False, False)


def shared(found: InUse) -> tuple[int | None, float, int | None]:
    return found.version, found.share, found.incumbent


def test_a_launch_by_stages_is_followed_through_growth_and_rollback(home: Path) -> None:
    """What it replaces is fetched beside it, also by a service that starts meanwhile."""
    settings = settings_at(home)
    promote(home, 1, share=0.05)
    one = follower(home)
    assert shared(one.look()) == (2, 0.05, 1)
    assert load_policy(policy_folder(home, SOURCE, SCENARIO, 1)).version == make_policy(*ACTIONS, seed=0).version
    for share, incumbent in ((0.25, 1), (1.0, None)):
        launch = running_launch(settings, MODEL, 2)
        assert launch is not None
        begin_stage(settings, launch, share)
        assert shared(one.look()) == (2, share, incumbent)
    with open_store(settings) as client:
        roll_back(client, settings, MODEL, ANN)
    assert shared(one.look()) == (1, 1.0, None)


def test_a_first_version_that_is_rolled_back_leaves_all_shoppers_to_the_shop(home: Path) -> None:
    """Not to the fallback, until another is promoted; an alias that is put back by hand changes nothing."""
    one = follower(home)
    one.look()
    with open_store(settings_at(home)) as client:
        roll_back(client, settings_at(home), MODEL, ANN)
    found = one.look()
    assert (shared(found), found.problem, found.is_own_rule) == ((None, 0.0, None), "", True)
    move(home, "champion", 1)
    found = one.look()
    assert (shared(found), "version 1 was rolled back to the shop's own rule" in found.problem) == (
        (None, 0.0, None),
        True,
    )
    move(home, "champion", None)
    promote(home, 1)
    assert shared(one.look()) == (2, 1.0, None)


def test_a_launch_whose_ledger_can_not_be_read_stays_at_its_share(home: Path) -> None:
    promote(home, 1, share=0.05)
    one = follower(home)
    one.look()
    (home / "launches.json").write_text("damaged")
    found = one.look()
    assert (shared(found), "launches.json" in found.problem) == ((2, 0.05, 1), True)


def test_a_launch_whose_replaced_version_can_not_be_loaded_waits(home: Path, first_home: Path) -> None:
    """Its shoppers would be left to chance; what was served stays."""
    first = follower(home)
    first.look()
    shutil.rmtree(policy_folder(home, SOURCE, SCENARIO, 1))
    promote(home, 1, share=0.05)
    oldest = min((first_home / "mlartifacts").rglob("weights.safetensors"), key=lambda path: path.stat().st_mtime_ns)
    content = oldest.read_bytes()
    oldest.write_bytes(b"damaged")
    try:
        found = follower(home).look()
    finally:
        oldest.write_bytes(content)
    assert shared(found) == (1, 1.0, None)
    assert "version 1, which version 2 replaces by stages, can't be served" in found.problem


def test_an_alias_moved_by_hand_is_not_followed(home: Path) -> None:
    """What was served stays until it is put back, or approved; a deleted one too."""
    one = follower(home)
    one.look()
    register(home, 1)
    move(home, "champion", 2)
    found = one.look()
    assert told(found) == (1, False, True)
    assert "version 2 without an approval record (moved by hand?); version 1 stays" in found.problem
    move(home, "champion", None)
    assert told(one.look()) == (1, False, True)
    move(home, "champion", 1)
    assert told(one.look()) == (1, False, False)


def test_a_service_that_starts_on_a_hand_moved_alias_serves_the_fallback(home: Path) -> None:
    register(home, 1)
    move(home, "champion", 2)
    found = follower(home).look()
    assert told(found) == (None, False, True)
    assert "the fallback alone is served" in found.problem


def test_off_holds_by_record_and_by_alias(home: Path) -> None:
    """Off by the page of MLflow counts too, for it is the safe way; on does not."""
    one = follower(home)
    with open_store(settings_at(home)) as client:
        turn_off(client, settings_at(home), MODEL, ANN)
    assert told(one.look()) == (1, True, False)
    move(home, "off", None)
    assert one.look().is_off
    with open_store(settings_at(home)) as client:
        turn_on(client, settings_at(home), MODEL, ANN)
    assert not one.look().is_off
    move(home, "off", 1)
    assert one.look().is_off


def test_a_policy_that_can_not_be_loaded_leaves_the_old_one(home: Path, first_home: Path) -> None:
    """A damaged file in the registry; it is said, and tried once."""
    one = follower(home)
    one.look()
    promote(home, 1)
    # A copied registry keeps its artifacts where the first one had them.
    newest = max((first_home / "mlartifacts").rglob("weights.safetensors"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(b"damaged")
    for _ in range(2):
        found = one.look()
        assert told(found) == (1, False, True)
        assert "version 2 can't be served: its policy can't be loaded" in found.problem


def test_a_policy_of_other_features_or_another_source_is_not_served(home: Path) -> None:
    encoder = make_policy(*ACTIONS).encoder
    columns = (encoder.columns[0].__class__("n_wishes", "count"), *encoder.columns[1:])
    promote(home, 1, make_policy(*ACTIONS, encoder=encoder.__class__(columns, encoder.spaces)))
    assert "needs features that the scenario doesn't observe: n_wishes" in follower(home).look().problem
    assert "learned from source simulated_shop, not canonical" in _first(home.parent, home, "canonical").problem


def _first(parent: Path, home: Path, source: str) -> InUse:
    return follower(Path(shutil.copytree(home, parent / "again")), source).look()


def test_a_registry_that_can_not_be_read_leaves_what_is_served(home: Path) -> None:
    """Whatever became of its database, or of the record of approvals."""
    one = follower(home)
    one.look()
    (home / "approvals.json").write_text("damaged")
    found = one.look()
    assert told(found) == (1, False, True)
    assert "approvals.json: not what this home wrote" in found.problem


@pytest.mark.parametrize("what", ["nothing", "no champion"])
def test_without_a_champion_nothing_but_the_fallback_is_served(tmp_path: Path, what: str) -> None:
    """A home without a registry isn't given one by looking."""
    if what == "nothing":
        assert told(follower(tmp_path).look()) == (None, False, True)
        assert not (tmp_path / "mlflow.db").exists()
        return
    register(tmp_path, 0)
    assert told(follower(tmp_path).look()) == (None, False, True)


def test_a_control_version_is_fetched_beside_the_champion(home: Path) -> None:
    promote(home, 1)
    with open_store(settings_at(home)) as client:
        set_control(client, settings_at(home), MODEL, ANN, 1)
    found = follower(home).look()
    assert (found.version, found.control, found.problem) == (2, 1, "")
    shutil.rmtree(policy_folder(home, SOURCE, SCENARIO, 1))
    with open_store(settings_at(home)) as client:
        client.delete_model_version(MODEL, "1")
    found = follower(home).look()
    assert (found.version, found.control) == (2, None)
    assert "version 1 can't decide for the control group: it was deleted" in found.problem
