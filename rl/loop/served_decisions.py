"""A shop's decisions, asked of the service that decides in the shop: the same code, in this process or over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.data.shop_rules import rules_of_scenario
from rl.errors import LoopError
from rl.serving.app import answer_of
from rl.serving.bodies import BatchRequest
from rl.serving.following import Follower
from rl.serving.service import Service, ServingOptions
from rl.shops.recommendation.canonical_lines import iso_times
from rl.shops.recommendation.own_decisions import OwnDecisions
from rl.shops.recommendation.shop import Shop
from rl.shops.recommendation.shop_life import Question, Shown, shopper_id

AT_ONCE = 200

Ask = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""Answers the body of a `decide-batch` request."""


@dataclass(frozen=True)
class Served:
    """The service on one day.

    Attributes:
        ask: it.
        version: of the champion in the registry; None where it serves none.
        policy_version: of the champion, as the decision log names it.
        share: of the shoppers who get it.
    """

    ask: Ask
    version: int | None
    policy_version: str | None
    share: float = 1.0


@contextmanager
def service_in_process(settings: Settings, pipeline: Pipeline, decisions: Path, *, seed: int) -> Iterator[Served]:
    """Open the service for one day, on what the registry says and the histories published now.

    Args:
        settings: of the home.
        pipeline: the scenario on the source.
        decisions: folder of the decision log.
        seed: of its draws.

    Raises:
        LoopError: it doesn't serve what the registry says.
    """
    found = Follower(settings, pipeline).look()
    options = ServingOptions(decisions, rules_of_scenario(pipeline.scenario), is_replaying=True, seed=seed)
    service = Service(settings, pipeline, options)
    try:
        service.fill_newest()
        service.look()
        readiness = service.readiness()
        if not readiness.is_ready or (found.version is not None and readiness.version != found.version):
            raise LoopError(f"the service doesn't serve version {found.version}: {'; '.join(readiness.problems)}")

        def ask(body: dict[str, Any]) -> list[dict[str, Any]]:
            requests = BatchRequest.model_validate(body).requests
            return [answer_of(service, one) for one in asyncio.run(service.decide(requests))]

        yield Served(ask, readiness.version, readiness.policy_version, readiness.share)
    finally:
        service.close()


class ServedDecisions:
    """Decides as the service says; what it leaves to the shop (`use_yours`) the shop's own rule decides."""

    def __init__(self, shop: Shop, day: int, served: Served) -> None:
        """Take the shop, its business day, and the service of that day."""
        self._shop, self._served = shop, served
        self._own = OwnDecisions(shop, day)
        self._items = {key: item for item, key in enumerate(shop.catalogue.item_ids)}

    def __call__(self, questions: Sequence[Question]) -> list[Shown]:
        """Return what shoppers are shown, in the order of the questions."""
        shown: list[Shown | None] = []
        for first in range(0, len(questions), AT_ONCE):
            some = questions[first : first + AT_ONCE]
            answers = self._served.ask({"requests": [self._request(one) for one in some]})
            shown += [self._shown(answer) for answer in answers]
        left = [question for question, one in zip(questions, shown, strict=True) if one is None]
        own = iter(self._own(left))
        return [next(own) if one is None else one for one in shown]

    def _request(self, question: Question) -> dict[str, Any]:
        return {
            "user_id": shopper_id(question.shopper),
            "decision_time": iso_times(np.array([question.time], dtype=np.int64))[0],
            "availability_id": self._shop.availability_ids[question.half_day],
            "events": list(question.seen),
        }

    def _shown(self, answer: dict[str, Any]) -> Shown | None:
        if answer["use_yours"]:
            return None
        (decision,) = answer["decisions"]
        return Shown(self._items[decision["action"]], decision["decision_id"], decision["event"])
