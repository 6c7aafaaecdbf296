"""A home whose champion decided on some days: registry, launches, transitions, events and a service's log, no Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf.id_form import keyed_id
from conf.observation_features import id_hash
from conf.paths import Lake, serving_folder
from conf.pseudonyms import pseudonym
from conf.publication import Manifest, Pointer, swap_pointer
from conf.settings import Settings
from conf.specs.scenario import MILLIONTHS, Pipeline
from conf.tables import EVENTS
from rl.data.arrow_schema import arrow_schema
from rl.policy import StochasticPolicy
from rl.registry.approvals import approve
from rl.registry.launches import Launch, Promise, PromisedGain, begin_launch
from rl.registry.memory import registry_address
from rl.registry.promotion import promote_version
from rl.registry.store import open_store
from rl.rollout.assignment import is_control
from rl.serving.decide import FALLBACK_VERSION
from rl.serving.explored import Explored
from tests.rl.factories import make_observation, make_pipeline, make_row, write_availability, write_transitions
from tests.rl.policy.policies import make_policy
from tests.rl.serving.served_home import ACTIONS, FIRST, KEY, MODEL, SCENARIO, SOURCE, register, settings_at

SHARE = 0.4
SET = "everything"


@dataclass
class ServedHome:
    """A home with a champion, and the days that it decided on.

    Attributes:
        home: folder.
        policy: of the champion.
        gain: true one over the control group, per episode.
        seed: of what happens.
        worth: what each action earns beside what the decision earns anyway, by its place.
        explored: a plan that all decisions but the control group's follow; None where none does.
    """

    home: Path
    policy: StochasticPolicy
    gain: float = 0.0
    seed: int = 0
    n_shoppers: int = 160
    monitor: Mapping[str, Any] = field(default_factory=dict)
    control_share: float = SHARE
    worth: Sequence[float] = (0.0,) * len(ACTIONS)
    explored: Explored | None = None

    @cached_property
    def pipeline(self) -> Pipeline:
        return make_pipeline(
            SOURCE, exploration={"control_holdout": self.control_share, "max_share": 0.5}, monitor=dict(self.monitor)
        )

    @property
    def settings(self) -> Settings:
        return settings_at(self.home)

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake, SOURCE)

    @property
    def log(self) -> Path:
        return serving_folder(self.home, SOURCE, SCENARIO) / "decisions"

    def serve(
        self,
        day: date,
        *,
        missing: int = 0,
        strange: int = 0,
        liar: bool = False,
        is_stale: bool = False,
        n_fallback: int = 0,
    ) -> None:
        """A day is decided, logged, ingested and built; `liar` chooses uniformly what it logs as the policy's draw.

        `is_stale`: decided on other features than the tables tell of.
        """
        rng = np.random.default_rng([self.seed, day.toordinal()])
        shoppers = [pseudonym(f"shopper-{number}", KEY.encode()) for number in range(self.n_shoppers)]
        step = rng.integers(0, 4, len(shoppers))
        shown = np.array([[id_hash(ACTIONS[int(one)]), 0] for one in rng.integers(0, 30, len(shoppers))]).reshape(-1, 2)
        shown = shown.astype(np.int64)
        features = self.policy.encoder.encode({"session_step": step, "recent_shown_items": shown})
        mask = np.ones((len(shoppers), self.policy.n_actions), dtype=bool)
        told = self.policy.probabilities(features, mask)
        held = np.array(
            [is_control(one, KEY.encode(), scenario=SCENARIO, share=self.control_share) for one in shoppers]
        )
        decided_by = self.policy.version
        if (plan := self.explored) is not None:
            followed = plan.policy.probabilities(features, mask)
            follows = plan.shares({"session_step": step}, len(shoppers))[:, None]
            told = np.where(held[:, None], told, (1 - follows) * told + follows * followed)
            decided_by = plan.version_beside(self.policy)
        action = (told.cumsum(axis=1) > rng.random((len(shoppers), 1))).argmax(axis=1)
        if liar:
            action = rng.integers(0, self.policy.n_actions, len(shoppers))
        pipeline, empty = self.pipeline, make_observation(self.pipeline)
        rows, logged = [], []
        for number, shopper in enumerate(shoppers):
            held_out = bool(held[number])
            is_fallback = not held_out and number < n_fallback
            version = "shop-rule" if held_out else FALLBACK_VERSION if is_fallback else decided_by
            propensity = 1 / 30 if held_out or is_fallback else float(told[number, action[number]])
            name = f"{day}-{number:04d}-00"
            earned = rng.gamma(2.0, 0.5) + (0 if held_out else self.gain) + self.worth[int(action[number])]
            seen = empty | {"session_step": int(step[number]) + is_stale, "recent_shown_items": [int(shown[number, 0])]}
            rows.append(
                make_row(
                    pipeline,
                    episode_id=name,
                    user_id=shopper,
                    decision_id=keyed_id(name, KEY.encode()),
                    decision_time=datetime.combine(day, datetime.min.time(), tzinfo=UTC) + timedelta(hours=12),
                    observation=seen,
                    action_key=ACTIONS[int(action[number])],
                    reward=round(earned * MILLIONTHS),
                    propensity=Decimal(repr(round(propensity, 15))).quantize(Decimal("1e-15")),
                    policy_version=version,
                    availability_id=SET,
                )
            )
            if not held_out:
                logged.append((name, version))
        write_transitions(self.lake, self.pipeline, day, rows)
        write_availability(self.lake, self.pipeline, day, {SET: ACTIONS})
        arrived = [
            *logged[missing:],
            *((f"{day}-forged-{number:02d}", self.policy.version) for number in range(strange)),
        ]
        self._write_events(day, arrived)
        self.log.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps({"decision_id": name, "policy_version": version}) for name, version in logged)
        (self.log / f"decisions-{day}.jsonl").write_text("".join(f"{line}\n" for line in lines))

    def _write_events(self, day: date, arrived: Sequence[tuple[str, str]]) -> None:
        schema, folder = arrow_schema(EVENTS), self.lake.table(EVENTS.name)
        blank = dict.fromkeys(schema.names)
        moment = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
        told = [
            blank
            | {"event_id": name, "event_time": moment, "user_id": "u", "event_type": "impression", "line_part": 0}
            | {"decision_id": keyed_id(name, KEY.encode()), "policy_version": version}
            for name, version in arrived
        ]
        name = f"event_date={day}/delivery_date={day}/part-0.parquet"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(told, schema=schema), folder / name)
        manifest = Manifest(
            table="events",
            partition=f"delivery_date={day}",
            schema_version=1,
            n_rows=len(told),
            content_hash=f"{len(told)}-x",
            spec_hash="s",
            code_hash="c",
            key_id="k",
            horizon=day,
            inputs={"ids/keyed": "yes"},
        )
        swap_pointer(Lake.pointer(folder, f"delivery_date={day}"), Pointer(files=(name,), manifest=manifest))


def promote(
    home: Path, number: int, policy: StochasticPolicy, promised: tuple[float, float] | None, *, source: str = SOURCE
) -> int:
    """The night's policy is registered, launched with a promised gain (value, half of its interval) and approved."""
    version, settings = register(home, number, policy, source=source), settings_at(home)
    day = FIRST + timedelta(days=number)
    promise = None
    if promised is not None:
        value, half = promised
        gain = PromisedGain(
            baseline="behavior", value=value, corrected=value, lower=value - half, upper=value + half, level=0.99
        )
        promise = Promise(estimator="dr", reward_unit="points", steps=40, gain=gain, against_control=gain)
    with open_store(settings) as client:
        begin_launch(
            settings,
            Launch(
                registry=registry_address(settings),
                model=MODEL,
                source=source,
                version=version,
                policy_version=policy.version,
                night=day,
                promise=promise,
            ),
        )
        done = promote_version(client, MODEL, version, source=source, run_date=day)
        approve(settings, MODEL, version, replaced=done.previous, who="ann", why="better")
    return version


def launched_home(home: Path, promised: tuple[float, float] | None) -> None:
    """Two versions were launched, the second one with a promise."""
    promote(home, 0, make_policy(*ACTIONS, seed=1), None)
    promote(home, 1, champion(), promised)


def champion() -> StochasticPolicy:
    """The policy of the second version, which decides from the day after its night on."""
    return make_policy(*ACTIONS, seed=2)
