"""A day of the simulated shop whose decisions a service makes: its log and the shop's, ingested and built as any other.

One visit a shopper, on the shop's first day: nothing is known of anybody before, so that no histories are published.
What the shop's shoppers do is drawn by the shop; what they are shown is drawn by the service, asked by HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.settings import Settings
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.source import SOURCES_FOLDER
from jobs.commands.ingest import ingest
from jobs.transitions.build import build
from rl.data.dataset import Dataset
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.data.pinned_versions import current_versions
from rl.data.splits import TimeSpan
from rl.data.transitions_reading import read_availability, read_transitions
from rl.policy import StochasticPolicy
from rl.shops.recommendation.canonical_lines import CURRENCY, availability_lines, iso_times, item_lines
from rl.shops.recommendation.lockstep_sessions import LockstepSessions, Responses, SessionStarts
from rl.shops.recommendation.session_memory import NEVER
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_settings import Dirt, ShopSettings
from rl.shops.recommendation.simulate import simulate
from tests.rl.serving.served_home import SCENARIO, SOURCE, Running, settings_at

DAY = date(2026, 3, 17)
FOLLOW_UPS = ("click", "cart", "purchase", "refund")
_AT_ONCE = 200
_FEEDS = """
feeds:
  - name: shop
    format: jsonl
    max_drop: 1
    delivery: {layout: dated_files, files: ["**/events*.jsonl"]}
  - name: decisions
    format: jsonl
    max_drop: 1
    delivery: {layout: dated_files, files: ["**/decisions-*.jsonl"]}
    events:
      event_time: {column: event_time, unit: iso}
      event_type: {column: event_type, map: {impression: impression}}
      event_id: {column: event_id}
      user_id: {column: user_id, required: true, is_pseudonym: true}
      item_id: {column: item_id}
      category_id: {column: category_id}
      decision_id: {column: decision_id}
      slate_id: {column: slate_id}
      action: {column: action}
      availability_id: {column: availability_id}
      policy_version: {column: policy_version}
      position: {column: position, at_least: 0}
      propensity: {column: propensity, above: 0, at_most: 1}
"""


def shop_of(seed: int, n_shoppers: int) -> ShopSettings:
    """One shop, whose shoppers and their day follow from the seed."""
    return ShopSettings(
        first_date=DAY, n_days=1, seed=seed, n_shoppers=n_shoppers, max_visits_per_day=1, dirt=Dirt.none()
    )


def pipeline_of(folder: Path) -> Pipeline:
    """The simulated shop with the service's decisions as a feed beside its own events, as docs/serving.md says."""
    content = yaml.safe_load((SOURCES_FOLDER / f"{SOURCE}.yaml").read_text(encoding="utf-8"))
    feeds = yaml.safe_load(_FEEDS)["feeds"]
    feeds[0]["events"] = content.pop("events")
    for name in ("format", "delivery"):
        content.pop(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{SOURCE}.yaml").write_text(yaml.safe_dump(content | {"feeds": feeds}), encoding="utf-8")
    return load_pipeline(SCENARIO, SOURCE, sources_folder=folder)


@dataclass
class ServedShop:
    """A shop that shows what a service decides.

    Attributes:
        home: of the service, whose lake the shop's deliveries go to.
        pipeline: see `pipeline_of`.
        settings: the shop's.
        spark: that ingests and builds.
    """

    home: Path
    pipeline: Pipeline
    settings: ShopSettings
    spark: SparkSession

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def today(self) -> Path:
        """Folder of the day's delivery, into which the service writes its log too."""
        return self.logs / str(DAY)

    @property
    def lake(self) -> Lake:
        return Lake(self._home_settings.lake, SOURCE)

    def open(self) -> None:
        """Deliver what is sold, and when, on the day before."""
        shop, before = build_shop(self.settings), DAY - timedelta(days=1)
        self._deliver(before, [])
        for name, lines in (("items", item_lines(shop, 0)), ("availability", availability_lines(shop, 0))):
            (self.logs / str(before) / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))
        self._ingest(before)

    def live(self, service: Running) -> None:
        """Play the day, every decision asked of the service, and write what shoppers did as the shop's own events."""
        shop = build_shop(self.settings)
        starts = simulate(shop, is_observed=False).played.starts
        visits = _Visits(shop, starts, service, np.random.default_rng([self.settings.seed, 77]))
        found: dict[date, list[str]] = {DAY: []}
        for line, day in visits.play():
            found.setdefault(DAY + timedelta(days=day), []).append(line)
        for delivered, lines in found.items():
            self._deliver(delivered, lines)

    def take_in(self) -> None:
        """Ingest the day and those after it until its rewards are settled, and build its transitions."""
        horizon = DAY + timedelta(days=self.pipeline.settle_days)
        for n in range(1, self.pipeline.settle_days + 1):
            if not (self.logs / str(DAY + timedelta(days=n))).exists():
                self._deliver(DAY + timedelta(days=n), [])
        self._ingest(horizon)
        build(self.spark, self._home_settings, self.pipeline, horizon)

    def episodes(self, policy: StochasticPolicy) -> LoggedEpisodes:
        """The day's episodes as a night reads them, over the policy's own actions and encoded features."""
        horizon = DAY + timedelta(days=self.pipeline.settle_days)
        around = [datetime.combine(DAY + timedelta(days=n), datetime.min.time(), tzinfo=UTC) for n in (-3, 3)]
        everything = TimeSpan(*(round(moment.timestamp()) * 1_000_000 for moment in around))
        dataset = Dataset(
            self.pipeline,
            read_transitions(self.pipeline, self.lake, horizon),
            {"train": everything, "validation": everything, "test": everything},
            policy.vocabulary,
            policy.encoder,
            current_versions(self.pipeline, self.lake, horizon),
            read_availability(self.lake, horizon),
        )
        return dataset.to_logged_episodes("test")

    def _deliver(self, day: date, lines: list[str]) -> None:
        """Deliver the day's lines, and a visitor's look around: a delivery without a line would be refused."""
        look = {"event_id": f"look-{day}", "event_time": f"{day}T10:00:00Z", "event_type": "view", "user_id": "visitor"}
        folder = self.logs / str(day)
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{line}\n" for line in [json.dumps(look), *lines])
        (folder / "events.jsonl").write_text(text, encoding="utf-8")

    def _ingest(self, horizon: date) -> None:
        source = self.pipeline.source
        ingest(self.spark, self._home_settings, source, logs=self.logs, horizon=horizon, code_hash="code")

    @property
    def _home_settings(self) -> Settings:
        return settings_at(self.home)


class _Visits:
    """Visits in lockstep, each decision of which a service is asked for."""

    def __init__(self, shop: Shop, starts: SessionStarts, service: Running, rng: np.random.Generator) -> None:
        self.shop, self.starts, self.service = shop, starts, service
        self.sessions = LockstepSessions(shop, starts, rng)
        self.places = {key: place for place, key in enumerate(shop.catalogue.item_ids)}
        self.seen: list[list[dict[str, Any]]] = [[] for _ in range(len(starts))]

    def play(self) -> Iterator[tuple[str, int]]:
        """Yield what shoppers did as lines, each with its business day, 0 on the shop's day."""
        while self.sessions.session.size:
            told = self._decisions()
            chosen = np.array([self.places[one["action"]] for one in told], dtype=np.int64)
            responses = self.sessions.respond(chosen)
            for row, one in enumerate(told):
                yield from self._follow_ups(responses, row, one)

    def _decisions(self) -> list[dict[str, Any]]:
        sessions, times = self.sessions.session.tolist(), iso_times(self.sessions.time)
        half_days = self.shop.calendar.half_day(self.sessions.time).tolist()
        requests = [
            {
                "user_id": _shopper(int(self.starts.shopper[session])),
                "decision_time": time,
                "availability_id": self.shop.availability_ids[half_day],
                "events": [one for one in self.seen[session] if one["event_time"] < time],
            }
            for session, time, half_day in zip(sessions, times, half_days, strict=True)
        ]
        told = list[dict[str, Any]]()
        for first in range(0, len(requests), _AT_ONCE):
            body = {"requests": requests[first : first + _AT_ONCE]}
            status, content = self.service.ask("POST", f"/v1/{SCENARIO}/decide-batch", body)
            assert status == 200, content
            told += [answer["decisions"][0] for answer in content["answers"]]
        for session, one in zip(sessions, told, strict=True):
            self.seen[session].append(one["event"])
        return told

    def _follow_ups(self, responses: Responses, row: int, decision: dict[str, Any]) -> Iterator[tuple[str, int]]:
        session, item = int(responses.session[row]), int(responses.item[row])
        catalogue = self.shop.catalogue
        for name in FOLLOW_UPS:
            time = getattr(responses, f"{name}_time")[row : row + 1]
            if time[0] == NEVER:
                continue
            event = {
                "event_id": f"{decision['decision_id']}-{name}",
                "event_time": iso_times(time)[0],
                "event_type": name,
                "item_id": catalogue.item_ids[item],
                "category_id": catalogue.category_ids[catalogue.category[item]],
                "decision_id": decision["decision_id"],
                "price": float(catalogue.price_cents[item]) / 100,
            }
            self.seen[session].append(event)
            further = {"user_id": _shopper(int(self.starts.shopper[session])), "quantity": 1, "currency": CURRENCY}
            yield json.dumps(event | further), int(self.shop.calendar.day(time)[0])


def _shopper(number: int) -> str:
    return f"shopper-{number:05d}"


def chosen_as_often_as_told(policy: StochasticPolicy, episodes: LoggedEpisodes) -> tuple[float, int]:
    """The statistic of the counts of all actions against the sums of their probabilities, and its degrees of freedom.

    Source: Rao (1973), 6b.2: for counts of independent draws with covariance C, d' C^- d is chi-square in the limit,
    with the rank of C.
    """
    probabilities = policy.probabilities(episodes.features, episodes.mask())
    counts = np.bincount(episodes.action, minlength=episodes.n_actions)
    apart: FloatArray = counts - probabilities.sum(axis=0)
    covariance = np.diag(probabilities.sum(axis=0)) - probabilities.T @ probabilities
    inverse = np.linalg.pinv(covariance, rcond=1e-9, hermitian=True)
    return float(apart @ inverse @ apart), int(np.linalg.matrix_rank(covariance, tol=1e-9 * len(probabilities)))
