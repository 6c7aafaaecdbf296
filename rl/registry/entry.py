"""What a night puts into the registry, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256

from rl.learning.curves import Curve

TAG = "nightcart."
SHARE_CHANGED = "share_changed"
"""Tag of a version: share of the decisions that it makes differently from the log."""
SECOND_LOOK = "second_look"
"""Tag of a version that passed by a second look: which, in words."""
CLOSE_CALL = "close_call"
"""Tag of a version whose verdict another seed could turn: what it hinges on, in words."""


@dataclass(frozen=True)
class NightKey:
    """What makes two registrations the same: their inputs, however often the night is repeated.

    Attributes:
        dataset_digest: of the prepared dataset.
        spec_hash: of both specs whole.
        code_hash: of the code and its pins.
    """

    scenario: str
    source: str
    date: date
    dataset_digest: str
    spec_hash: str
    code_hash: str

    @property
    def model(self) -> str:
        """Name of the registered model."""
        return f"{self.scenario}-policy"

    @property
    def about(self) -> str:
        """What the registered model is, in one sentence."""
        return f"Policies of scenario {self.scenario}. champion is served, challenger waits for approval."

    @property
    def input_key(self) -> str:
        """Hash of all fields."""
        content = [self.scenario, self.source, str(self.date), self.dataset_digest, self.spec_hash, self.code_hash]
        return sha256(json.dumps(content).encode("utf-8")).hexdigest()[:32]

    @property
    def tags(self) -> dict[str, str]:
        """The fields and the key as MLflow tags."""
        values = {
            "scenario": self.scenario,
            "source": self.source,
            "date": str(self.date),
            "dataset_digest": self.dataset_digest,
            "spec_hash": self.spec_hash,
            "code_hash": self.code_hash,
            "input_key": self.input_key,
        }
        return {TAG + name: value for name, value in values.items()}


@dataclass(frozen=True)
class ShopperModelKey(NightKey):
    """The same of a model of shoppers: `scenario` is the model's name, `dataset_digest` names what was read."""

    @property
    def model(self) -> str:
        """Name of the registered model."""
        return f"{self.source}-{self.scenario}"

    @property
    def about(self) -> str:
        """What the registered model is, in one sentence."""
        return f"Model {self.scenario} of shoppers of {self.source}. champion scores them."


@dataclass(frozen=True)
class CandidateRecord:
    """A trained candidate: settings, final figures, and curves over updates."""

    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    curves: tuple[Curve, ...] = ()
    is_selected: bool = False


@dataclass(frozen=True)
class VersionRecord:
    """What a version says about itself beside its night's key.

    Attributes:
        verdict: promote, reject or abstain.
        champion_in_force: version of the champion on its night, or `behavior` where there was none.
        compared_with: what its gain is over: that version, or `behavior` where it couldn't be compared.
        horizon: last date whose deliveries it was learned from.
        description: verdict and reasons in words (Markdown).
        details: further tags.
    """

    verdict: str
    champion_in_force: str
    compared_with: str
    horizon: date
    description: str
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def tags(self) -> dict[str, str]:
        """The fields as MLflow tags; `verdict` and `champion_in_force` decide whether it may be promoted."""
        own = {
            "verdict": self.verdict,
            "champion_in_force": self.champion_in_force,
            "compared_with": self.compared_with,
            "horizon": str(self.horizon),
        }
        return {TAG + name: value for name, value in {**self.details, **own}.items()}
