"""The stochastic policy that is evaluated and served: probabilities, decisions with propensities, its files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from rl.errors import PolicyError
from rl.policy.action_probabilities import draw, masked_softmax, refuse_empty, with_exploration
from rl.policy.action_rules import NO_RULES, ActionRules
from rl.policy.network import DenseNetwork, Network
from rl.policy.network_kinds import network_from
from rl.policy.observation_encoder import ObservationEncoder
from rl.policy.offer_prices import OfferPrices
from rl.policy.vocabulary import Vocabulary

FloatArray = npt.NDArray[np.float64]
FeatureArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

FORMAT = 1
POLICY_FILE = "policy.json"
WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True)
class Decisions:
    """What was decided for a batch of observations.

    Attributes:
        actions: natural keys, `(n,)`.
        index: their dense indices, `(n,)`.
        probabilities: of all actions, `(n, n_actions)`.
        propensity: probability of the action taken, `(n,)`.
    """

    actions: list[str]
    index: IntArray
    probabilities: FloatArray
    propensity: FloatArray


@dataclass(frozen=True)
class StochasticPolicy:
    """Softmax over a network's outputs among available actions, mixed with a uniform choice.

    Where offers have prices, what each commits, times the price of money, is taken off its output before.

    Attributes:
        name: candidate it was trained as, such as `discrete_cql-1`.
        network: encoded observation -> one output per action.
        encoder: observation -> encoded observation.
        vocabulary: the actions.
        output_scale: outputs are divided by it before the softmax, so that temperatures mean the same for values in any
            unit: 1 for log-probabilities, the outputs' typical spread between actions for values.
        temperature: divides outputs before the softmax; small is greedy.
        exploration_floor: share of decisions that are a uniform choice.
        is_other_chosen: `(other)` counts as an action in `probabilities` (implied decisions, where it stands for what
            shoppers did); never in `act`.
        dataset_digest: the data it was trained on.
        prices: what actions commit, and the price of money; None where nothing is charged.
        rules: of the shop, under which it was learned; what they take away it never chooses.
    """

    name: str
    network: Network
    encoder: ObservationEncoder
    vocabulary: Vocabulary
    output_scale: float
    temperature: float
    exploration_floor: float
    is_other_chosen: bool
    dataset_digest: str
    prices: OfferPrices | None = None
    rules: ActionRules = NO_RULES

    def __post_init__(self) -> None:
        problems = []
        if self.network.n_outputs != self.vocabulary.n_actions:
            problems.append(f"{self.network.n_outputs} outputs for {self.vocabulary.n_actions} actions")
        if self.network.n_inputs != self.encoder.n_features:
            problems.append(f"{self.network.n_inputs} inputs for {self.encoder.n_features} encoded features")
        if not (self.temperature > 0 and self.output_scale > 0 and 0 <= self.exploration_floor <= 1):
            problems.append("temperature and output_scale must be above 0, exploration_floor between 0 and 1")
        if self.prices is not None and len(self.prices.committed) != self.vocabulary.n_actions:
            problems.append(f"costs of {len(self.prices.committed)} actions for {self.vocabulary.n_actions} actions")
        counts = [column.name for column in self.encoder.columns if column.kind == "count"]
        if strange := sorted({rule.feature for rule in self.rules.eligibility} - set(counts)):
            problems.append(
                f"its rules say who is eligible by {', '.join(strange)}, and what it is told of as numbers is "
                f"{', '.join(counts) or 'nothing'}; name one of these in rules.eligibility"
            )
        if problems:
            raise PolicyError(f"policy {self.name}: " + "; ".join(problems))

    @cached_property
    def version(self) -> str:
        """Hash of everything its decisions depend on: the name under which they are logged."""
        state = sha256(json.dumps(self._content(), sort_keys=True).encode("utf-8"))
        state.update(save(self.network.to_tensors()))
        return f"{self.name}-{state.hexdigest()[:12]}"

    @property
    def n_actions(self) -> int:
        return self.vocabulary.n_actions

    def with_temperature(self, temperature: float) -> StochasticPolicy:
        """Return the same policy at another temperature, under another version."""
        return replace(self, temperature=temperature)

    def with_prices(self, prices: OfferPrices | None) -> StochasticPolicy:
        """Return the same policy at other prices of offers, under another version."""
        return replace(self, prices=prices)

    def with_rules(self, rules: ActionRules) -> StochasticPolicy:
        """Return the same policy under its own rules and these, under another version where these are new to it."""
        joined = rules.joined(self.rules)
        return self if joined.to_json() == self.rules.to_json() else replace(self, rules=joined)

    def encode(self, observation: Mapping[str, IntArray]) -> FeatureArray:
        """Return the observations encoded, `(n, n_features)`."""
        return self.encoder.encode(observation)

    def outputs(self, features: FeatureArray) -> FloatArray:
        """Return values (in the training reward's scale) or logits, less what is charged, `(n, n_actions)`."""
        outputs = self.network.forward(features).astype(np.float64)
        return outputs if self.prices is None else outputs - self.prices.charges

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return action probabilities, `(n, n_actions)`; rows sum to 1, 0 where the mask is False.

        Where decisions were logged, `(other)` gets 0, since it is never served; a row in which nothing else is
        available keeps it, so that it still has a distribution.

        Raises:
            PolicyError: a row without available action.
        """
        mask = self.permitted(features, mask)
        return self.chances(self.outputs(features), self._among_permitted(features, mask), mask)

    def chances(self, outputs: FloatArray, considered: BoolArray, mask: BoolArray) -> FloatArray:
        """Return the probabilities that outputs lead to, `(n, n_actions)`.

        Args:
            outputs: of `outputs`, `(n, n_actions)`.
            considered: actions of the softmax, `(n, n_actions)`.
            mask: actions of the uniform choice, of `permitted`, `(n, n_actions)`.
        """
        softmax = masked_softmax(outputs / self.output_scale, considered, self.temperature)
        return with_exploration(softmax, mask, self.exploration_floor)

    def permitted(self, features: FeatureArray, mask: BoolArray) -> BoolArray:
        """Return the actions that get any probability: by the rules, choosable, within the caps, `(n, n_actions)`.

        Raises:
            PolicyError: a row without available action, or whose actions the rules take away, all of them.
        """
        refuse_empty(mask, "available action")
        mask = self.choosable(self.ruled(features, mask))
        refuse_empty(mask, "action that the shop's rules leave")
        return mask if self.prices is None else self.prices.allowed(self.encoder, features, mask)

    def act(
        self,
        observation: Mapping[str, IntArray],
        available: Sequence[Sequence[str] | None] | None = None,
        *,
        seed: int | None = None,
    ) -> Decisions:
        """Return one decision per observation, with its propensity.

        Args:
            observation: feature name -> `(n,)` or `(n, length)`.
            available: natural keys of the available actions of each row, None for all; unknown keys are ignored.
            seed: of the draw; None draws anew each time.

        Raises:
            PolicyError: features don't fit, or a row has no available action that the policy knows.
        """
        features = self.encode(observation)
        mask = self.serving_mask(available, len(features))
        refuse_empty(mask, "available action")
        probabilities = self.probabilities(features, mask)
        index = draw(probabilities, np.random.default_rng(seed))
        return Decisions(
            actions=[self.vocabulary.names[i] for i in index],
            index=index,
            probabilities=probabilities,
            propensity=probabilities[np.arange(len(index)), index],
        )

    def serving_mask(self, available: Sequence[Sequence[str] | None] | None, n: int) -> BoolArray:
        """Return True at the available actions of each row, `(n, n_actions)`; never at `(other)`."""
        if available is None:
            return np.tile(self.vocabulary.mask_of(None), (n, 1))
        if len(available) != n:
            raise PolicyError(f"{len(available)} availability lists for {n} observations; expected one each")
        rows = [self.vocabulary.mask_of(keys) for keys in available]
        return np.array(rows, dtype=bool).reshape(n, self.n_actions)

    def save(self, folder: Path) -> None:
        """Write policy.json and weights.safetensors to the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {**self._content(), "version": self.version}
        _write(folder / WEIGHTS_FILE, save(self.network.to_tensors()))
        _write(folder / POLICY_FILE, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode("utf-8"))

    def ruled(self, features: FeatureArray, mask: BoolArray) -> BoolArray:
        """Return the mask less what the rules take away, `(n, n_actions)`."""
        return self.rules.left_of(mask, self.vocabulary.names, self.encoder, features)

    def choosable(self, mask: BoolArray) -> BoolArray:
        """Return the actions that `probabilities` may choose, `(n, n_actions)`; `(other)` only if chosen or alone."""
        other = self.vocabulary.other_index
        if other is None or self.is_other_chosen:
            return mask
        chosen = mask.copy()
        chosen[:, other] &= ~np.delete(mask, other, axis=1).any(axis=1)
        return chosen

    def considered(self, features: FeatureArray, mask: BoolArray) -> BoolArray:
        """Return the actions that `probabilities` gives more than the exploration floor's share, `(n, n_actions)`."""
        chosen = self.choosable(self.ruled(features, mask))
        if self.prices is not None:
            chosen = self.prices.allowed(self.encoder, features, chosen)
        return self._among_permitted(features, chosen)

    def _among_permitted(self, features: FeatureArray, mask: BoolArray) -> BoolArray:
        """Return the actions of the softmax; with prices the cheapest is one, so that any budget can be kept."""
        considered = self.network.considered(features, mask)
        return considered if self.prices is None else considered | self.prices.cheapest(mask)

    def _content(self) -> dict[str, Any]:
        # Policies of dense layers keep the version they had before there were other kinds.
        kind: dict[str, Any] = {} if self.network.kind == DenseNetwork.kind else {"network": self.network.kind}
        # Nor do policies change theirs that charge nothing, or have no rules.
        prices = {} if self.prices is None else {"prices": self.prices.to_json()}
        rules = {} if self.rules.is_empty else {"rules": self.rules.to_json()}
        return (
            kind
            | prices
            | rules
            | {
                "format": FORMAT,
                "name": self.name,
                "dataset_digest": self.dataset_digest,
                "encoder": self.encoder.to_json(),
                "exploration_floor": self.exploration_floor,
                "is_other_chosen": self.is_other_chosen,
                "output_scale": self.output_scale,
                "temperature": self.temperature,
                "vocabulary": self.vocabulary.to_json(),
            }
        )


def load_policy(folder: Path) -> StochasticPolicy:
    """Return the policy that `save` wrote.

    Raises:
        PolicyError: files are missing, can't be read, or aren't the ones that were written together.
    """
    try:
        content = json.loads((folder / POLICY_FILE).read_text(encoding="utf-8"))
        tensors = load((folder / WEIGHTS_FILE).read_bytes())
        if content["format"] != FORMAT:
            raise PolicyError(f"{folder}: policy format {content['format']}, expected {FORMAT}; train it again")
        policy = StochasticPolicy(
            network=network_from(content.get("network", DenseNetwork.kind), tensors),
            encoder=ObservationEncoder.from_json(content["encoder"]),
            vocabulary=Vocabulary.from_json(content["vocabulary"]),
            prices=OfferPrices.from_json(content["prices"]) if "prices" in content else None,
            rules=ActionRules.from_json(content["rules"]) if "rules" in content else NO_RULES,
            **{
                name: content[name]
                for name in (
                    "name",
                    "dataset_digest",
                    "exploration_floor",
                    "is_other_chosen",
                    "output_scale",
                    "temperature",
                )
            },
        )
    except FileNotFoundError as error:
        raise PolicyError(f"{error.filename}: no such file; expected a trained policy in {folder}") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise PolicyError(f"{folder}: not a policy: {type(error).__name__}: {error}; train it again") from error
    if policy.version != content["version"]:
        raise PolicyError(f"{folder}: is {policy.version}, policy.json says {content['version']}; train it again")
    return policy


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(content)
    draft.replace(path)
