"""The champion as a policy to compare with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from conf.observation_features import id_hash
from conf.settings import Settings
from conf.specs.budget import Budget
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary
from rl.policy.action_rules import ActionRules
from rl.policy.network import DenseNetwork
from rl.policy.observation_encoder import ColumnEncoding
from rl.policy.offer_prices import OfferPrices
from rl.registry.champion import Champion, at_budget, find_champion, under_rules
from rl.registry.entry import NightKey, VersionRecord
from rl.registry.runs import night_run
from rl.registry.store import experiment_id, open_store
from rl.registry.versions import RegisteredVersion, create_version

OLD_NIGHT = NightKey("recommendation", "shop", date(2026, 1, 30), "d", "s", "c")
TONIGHT = NightKey("recommendation", "shop", date(2026, 1, 31), "d", "s", "c")


def vocabulary(*keys: str) -> Vocabulary:
    return Vocabulary(keys, tuple(id_hash(key) for key in keys), has_other=False)


def policy() -> StochasticPolicy:
    network = DenseNetwork((np.zeros((2, 1), dtype=np.float32),), (np.array([0.0, 1.0], dtype=np.float32),))
    return StochasticPolicy(
        name="bc-1",
        network=network,
        encoder=ObservationEncoder((ColumnEncoding("session_step", "count"),)),
        vocabulary=vocabulary("a", "b"),
        output_scale=1.0,
        temperature=1.0,
        exploration_floor=0.1,
        is_other_chosen=False,
        dataset_digest="d",
    )


def register(client: MlflowClient, settings: Settings, folder: Path, key: NightKey, in_force: str) -> int:
    policy().save(folder / "staged" / "data" / "policy")
    run = night_run(client, experiment_id(client, settings, key.scenario), key)
    record = VersionRecord("promote", in_force, in_force, key.date, "promote")
    return create_version(client, run, key=key, record=record, model_folder=folder / "staged").version


@pytest.fixture
def client(home: Path) -> Iterator[MlflowClient]:
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home)})
    with open_store(settings) as opened:
        version = register(opened, settings, home, OLD_NIGHT, "behavior")
        opened.set_registered_model_alias(OLD_NIGHT.model, "champion", str(version))
        yield opened


def find(
    client: MlflowClient,
    key: NightKey = TONIGHT,
    *,
    features: tuple[str, ...] = ("session_step",),
    keys: tuple[str, ...] = ("b", "c"),
) -> Champion | None:
    return find_champion(client, key, features=features, vocabulary=vocabulary(*keys))


def test_champion_is_loaded_as_it_was_registered(client: MlflowClient) -> None:
    """The champion's policy is the one that was registered, down to its version."""
    champion = find(client)
    assert champion is not None
    assert champion.policy is not None
    assert champion.policy.version == policy().version
    assert (champion.name, champion.problem) == ("champion (version 1)", "")


def test_no_champion_is_no_error(client: MlflowClient) -> None:
    """Before the first promotion there is nothing to compare with."""
    client.delete_registered_model_alias(OLD_NIGHT.model, "champion")
    assert find(client) is None


def test_champion_with_other_features_is_not_compared(client: MlflowClient) -> None:
    """Features that tonight's observations lack are named."""
    champion = find(client, features=("n_session_clicks",))
    assert champion is not None
    assert champion.policy is None
    assert "session_step" in champion.problem


def test_champion_that_knows_no_action_is_not_compared(client: MlflowClient) -> None:
    """A champion of a catalogue that has gone entirely has no opinion on tonight's."""
    champion = find(client, keys=("x", "y"))
    assert champion is not None
    assert (champion.policy, champion.problem) == (None, "it knows none of tonight's actions")


def test_champion_whose_files_are_gone_is_not_compared(client: MlflowClient, home: Path) -> None:
    """A champion that can't be loaded is said, not raised: the night goes on against the log."""
    shutil.rmtree(home / "mlartifacts")
    champion = find(client)
    assert champion is not None
    assert champion.policy is None
    assert "can't be loaded" in champion.problem


def test_tonights_own_promoted_version_is_compared_with_what_it_was_gated_against(
    client: MlflowClient, home: Path
) -> None:
    """A night repeated after its promotion finds the baseline of its gate, not itself."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home)})
    own = register(client, settings, home, TONIGHT, in_force="1")
    client.set_registered_model_alias(TONIGHT.model, "champion", str(own))
    champion = find(client)
    assert champion is not None
    assert champion.version.version == 1
    assert find(client, OLD_NIGHT) is not None


PRICES = OfferPrices((0, 2_000_000), 1.0, 0.5, 10_000_000, 5.0, (0.0, 0.5, 3.0), (2.0, 1.6, 0.1), nothing=0)


@pytest.mark.parametrize(("weekly", "price"), [(10.0, 0.5), (50.0, 0.0), (5.0, 0.5 + 2.5 * 2 / 3)])
def test_champion_is_compared_at_tonights_budget(weekly: float, price: float) -> None:
    """By its own path of prices; one that was judged without a budget stays as it was, as does any without one now."""
    version = RegisteredVersion("promotion-policy", 1, {}, "uri", "run")
    priced = Champion(version, policy().with_prices(PRICES))
    found = at_budget(priced, Budget(weekly=weekly)).policy
    assert found is not None
    assert found.prices is not None
    assert found.prices.price == pytest.approx(price)
    assert at_budget(priced, None) is priced
    for unpriced in (Champion(version, policy()), Champion(version, None, "gone")):
        assert at_budget(unpriced, Budget(weekly=weekly)) is unpriced


def test_the_champion_is_judged_under_the_rules_that_it_is_served_under() -> None:
    """Its own and the scenario's present ones; without new ones it is the version that was registered."""
    version = RegisteredVersion("recommendation-policy", 1, {}, "uri", "run")
    own, added = ActionRules(blocked=frozenset("a")), ActionRules(blocked=frozenset("z"))
    champion = Champion(version, policy().with_rules(own))
    found = under_rules(champion, added).policy
    assert found is not None
    assert found.rules.blocked == {"a", "z"}
    assert under_rules(champion, own).policy is champion.policy
    assert under_rules(Champion(version, None, "gone"), added).policy is None
