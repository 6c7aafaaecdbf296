"""The service as HTTP: checked requests, answers in JSON, whether it lives and is ready, and what it counts."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import APIKeyHeader
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rl.errors import DecisionLogError
from rl.serving.asking import UnfitRequest
from rl.serving.bodies import MOST_UNKNOWN_NAMED, BatchAnswer, BatchRequest, DecideAnswer, DecideRequest
from rl.serving.decisions import Decided
from rl.serving.service import Service

_KEY_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False)
_SECONDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)


class _NoKey(Exception):
    """A request without the service's key."""


class _OtherScenario(Exception):
    """A request for a scenario that isn't served here."""


class Counts:
    """What a monitor reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.decisions = Counter("nightcart_decisions", "Decisions by group", ["group"], registry=registry)
        self.histories = Counter("nightcart_histories", "Requests by history state", ["state"], registry=registry)
        self.refused = Counter("nightcart_refused", "Requests by status", ["status"], registry=registry)
        self.seconds = Histogram("nightcart_decide_seconds", "Seconds a request", buckets=_SECONDS, registry=registry)
        self.version = Gauge("nightcart_served_version", "Version of the registry, 0 none", registry=registry)
        self.is_ready = Gauge("nightcart_ready", "1 while it decides", registry=registry)

    def count(self, decided: Sequence[Decided]) -> None:
        """Count what was decided."""
        for one in decided:
            self.histories.labels(one.history.state).inc()
            if one.uses_own:
                self.decisions.labels(one.arm).inc()
            for choice in one.choices:
                self.decisions.labels(choice.group).inc()


def create_app(service: Service, key: str | None) -> FastAPI:
    """Return the application of a service; `key` is asked of callers, None asks for none."""
    counts = Counts()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        keeping_up = asyncio.create_task(service.keep_up())
        yield
        keeping_up.cancel()
        with suppress(asyncio.CancelledError):
            await keeping_up
        service.close()

    app = FastAPI(title="nightcart decisions", version="1", lifespan=lifespan)

    async def check_key(given: Annotated[str | None, Depends(_KEY_HEADER)]) -> None:
        if key is not None and not hmac.compare_digest((given or "").encode(), key.encode()):
            raise _NoKey

    async def check_scenario(scenario: str) -> None:
        if scenario != service.pipeline.scenario.name:
            raise _OtherScenario

    guards = [Depends(check_key), Depends(check_scenario)]

    async def answered(bodies: Sequence[DecideRequest]) -> list[dict[str, Any]]:
        started = time.perf_counter()
        if (readiness := service.readiness()).is_ready:
            decided = await service.decide(bodies)
            counts.count(decided)
            counts.seconds.observe(time.perf_counter() - started)
            return [answer_of(service, one) for one in decided]
        raise DecisionLogError("; ".join(readiness.problems))

    @app.post("/v1/{scenario}/decide", response_model=DecideAnswer, dependencies=guards, responses=_REFUSALS)
    async def decide(body: DecideRequest) -> Response:
        """Decide what to show one shopper next."""
        (answer,) = await answered([body])
        return _json(answer)

    @app.post("/v1/{scenario}/decide-batch", response_model=BatchAnswer, dependencies=guards, responses=_REFUSALS)
    async def decide_batch(body: BatchRequest) -> Response:
        """Decide what to show several shoppers, all of them or none."""
        return _json({"answers": await answered(body.requests)})

    @app.get("/health")
    async def health() -> Response:
        """Answer while the process lives."""
        return _json({"status": "alive"})

    @app.get("/ready")
    async def ready() -> Response:
        """Say whether decisions are made, by which version, and what isn't as it should be."""
        found = service.readiness()
        state = "ready" if not found.problems else "degraded" if found.is_ready else "not ready"
        content = {
            "status": state,
            "scenario": service.pipeline.scenario.name,
            "version": found.version,
            "policy_version": found.policy_version,
            "is_off": found.is_off,
            "control_version": found.control,
            "histories": service.histories_in_words(),
            "share": found.share,
            "incumbent_version": found.incumbent,
            "is_shadow": found.is_shadow,
            "exploring_version": None if found.exploring is None else found.exploring[0],
            "exploring_until": None if found.exploring is None else str(found.exploring[1]),
            "approved": service.approval_in_words(),
            "problems": list(found.problems),
        }
        return _json(content, status=200 if found.is_ready else 503)

    @app.get("/metrics", dependencies=[Depends(check_key)])
    async def metrics() -> Response:
        """Show the counts, as Prometheus reads them."""
        found = service.readiness()
        counts.version.set(found.version or 0)
        counts.is_ready.set(found.is_ready)
        return Response(generate_latest(counts.registry), media_type=CONTENT_TYPE_LATEST)

    _handle_refusals(app, service, counts)
    return app


def _handle_refusals(app: FastAPI, service: Service, counts: Counts) -> None:
    """Let each kind of refusal be answered by its status, with what is wrong and where."""

    def refused(status: int, error: str, fields: list[dict[str, str]] | None = None) -> Response:
        counts.refused.labels(str(status)).inc()
        return _json({"error": error, "fields": fields or []}, status=status)

    async def unfit_body(_: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        fields = [{"field": _field(one["loc"]), "problem": one["msg"].removeprefix("Value error, ")} for one in found]
        return refused(422, "; ".join(f"{one['field']}: {one['problem']}" for one in fields[:5]), fields)

    async def unfit_request(_: Request, error: Exception) -> Response:
        field = {"field": error.field, "problem": error.problem} if isinstance(error, UnfitRequest) else {}
        return refused(422, str(error), [field])

    async def no_log(_: Request, error: Exception) -> Response:
        return refused(503, str(error))

    async def no_key(_: Request, __: Exception) -> Response:
        return refused(401, "X-API-Key: missing or wrong; it is the service's NIGHTCART_SERVING_KEY")

    async def other_scenario(_: Request, __: Exception) -> Response:
        return refused(404, f"this service decides for {service.pipeline.scenario.name} alone")

    handlers: list[tuple[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = [
        (RequestValidationError, unfit_body),
        (UnfitRequest, unfit_request),
        (DecisionLogError, no_log),
        (_NoKey, no_key),
        (_OtherScenario, other_scenario),
    ]
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)


def answer_of(service: Service, decided: Decided) -> dict[str, Any]:
    """Return what a caller is told of what was decided for one request."""
    decisions = []
    for position, choice in enumerate(decided.choices):
        event = service.maker.event(decided, position)
        del event["user_id"]
        decisions.append(
            {
                "decision_id": event["decision_id"],
                "position": position,
                "action": choice.action,
                "propensity": choice.propensity,
                "policy_version": choice.policy_version,
                "group": choice.group,
                "event": _seen_again(event),
            }
        )
    is_fallback = decided.arm == "champion" and all(choice.group == "fallback" for choice in decided.choices)
    return {
        "group": "fallback" if is_fallback else decided.arm,
        "use_yours": decided.uses_own,
        "slate_id": decided.slate_id,
        "decisions": decisions,
        "reason": _why_short(decided),
        "n_unknown_actions": len(decided.unknown),
        "unknown_actions": list(decided.unknown[:MOST_UNKNOWN_NAMED]),
        "history": {"state": decided.history.state, "age_days": decided.history.age_days},
    }


def _why_short(decided: Decided) -> str:
    """Return why fewer decisions were made than were asked for; empty where none is missing, or the shop decides."""
    n, asked = len(decided.choices), decided.asked
    if decided.uses_own or n >= asked.n_positions:
        return ""
    if not asked.actions:
        return "no action is available"
    made = f"{n} of {asked.n_positions} positions were filled: " if n else ""
    left = "" if n == 0 else "more "
    n_available = len(set(asked.actions))
    return f"{made}the shop's rules and this slate leave nothing {left}to choose of {n_available} available actions"


def _seen_again(event: dict[str, object]) -> dict[str, object]:
    """Return the fields of the event that a later request takes."""
    names = ("event_type", "event_time", "event_id", "item_id", "category_id", "action")
    return {name: event[name] for name in names}


def _field(location: Sequence[int | str]) -> str:
    """Return the field's path, such as `events.0.event_time`; `body` where the whole is unfit."""
    path = ".".join(str(part) for part in location[1:])
    return path or "body"


def _json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status_code=status, media_type="application/json")


_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "The service's key is missing or wrong."},
    404: {"description": "Another scenario than the one served here."},
    422: {"description": "A field doesn't fit; `fields` names it."},
    503: {"description": "Nothing is decided, since it could not be logged, or the registry was not read yet."},
}
