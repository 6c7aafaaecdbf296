"""The service: requests in, decisions on disk, answers out; and what it follows meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import structlog

from conf.id_form import has_keyed_ids
from conf.paths import Lake, approvals_record
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.errors import DecisionLogError, EvaluationError, PolicyError, StoreError
from rl.figures.exploration import ExplorationPlan
from rl.page.wording import counted
from rl.policy import load_policy
from rl.policy.action_rules import ActionRules, Cap
from rl.registry.approvals import read_approvals
from rl.serving import child
from rl.serving.asking import Asking, UnfitRequest
from rl.serving.bodies import DecideRequest
from rl.serving.decision_log import DecisionLog, logged_lines
from rl.serving.decisions import OWN_RULE, Decided, DecisionMaker, DecisionRequest, PolicyInUse, SharedOut
from rl.serving.explored import Explored, refuse_unseen
from rl.serving.gathering import Gathering
from rl.serving.in_use import InUse, in_use_file, policy_folder, read_in_use
from rl.serving.shadow import ShadowLog
from rl.serving.shop_tables import ShopTables, read_tables, tables_digest
from rl.serving.store_filling import StorePlace

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_TABLES = 5.0
LONGEST_UNSEEN = timedelta(seconds=60)


@dataclass(frozen=True)
class ServingOptions:
    """What whoever starts a service decides.

    Attributes:
        decisions: folder of the decision log.
        rules: of the shop.
        max_age_days: beyond which histories aren't used.
        is_replaying: whether requests say when they are decided.
        seed: of the draws; None seeds them from the system.
        today: business day that counts as today, of a simulated shop; None for the calendar's.
        address: where it listens, for what it tells.
    """

    decisions: Path
    rules: ActionRules
    max_age_days: int = 2
    is_replaying: bool = False
    seed: int | None = None
    today: date | None = None
    address: str = ""


@dataclass(frozen=True)
class Readiness:
    """Whether the service decides, and what isn't as it should be.

    Attributes:
        is_ready: whether it answers requests with decisions.
        problems: in words; some leave it ready.
        version: of the policy in the registry; None while the fallback alone is served.
        policy_version: under which it decides.
        is_off: whether it was turned off.
        control: version of the policy that decides for the control group; None leaves it to the shop.
        share: of the shoppers who get the version; 1 where it isn't rolled out by stages, 0 without a version where the
            shop decides for all.
        incumbent: version that decides for the others; None leaves them to the shop.
        is_shadow: whether the version decides in the shadow, and no shopper gets it yet.
        exploring: version that explored decisions follow today, and until when; None where nothing is explored.
    """

    is_ready: bool
    problems: tuple[str, ...]
    version: int | None
    policy_version: str | None
    is_off: bool
    control: int | None
    share: float = 1.0
    incumbent: int | None = None
    is_shadow: bool = False
    exploring: tuple[int, date] | None = None


class Service:
    """Decides for one scenario on one source."""

    def __init__(self, settings: Settings, pipeline: Pipeline, options: ServingOptions) -> None:
        """Open the decision log and the store of histories, and read what is there.

        Raises:
            ServingError: the decision log can't be written, or the store's address can't be read.
        """
        self.pipeline, self._settings, self._options = pipeline, settings, options
        self._place = StorePlace(settings, pipeline)
        self._lake = Lake(settings.lake, pipeline.source.name)
        self._asking = Asking(pipeline, settings.pseudonym_key(), options.is_replaying, has_keyed_ids(self._lake))
        self._store = self._place.open()
        self.maker = DecisionMaker(
            pipeline,
            key=settings.pseudonym_key(),
            store=self._store,
            rules=options.rules,
            max_age_days=options.max_age_days,
            generator=None if options.seed is None else np.random.default_rng(options.seed),
        )
        self._behind = timedelta()
        if options.today is not None:
            self._behind = _behind(options.today, ZoneInfo(pipeline.source.zone))
        self._gathering = Gathering(self._decide_for)
        self._is_told_ready = False
        self.log, self._shadow = DecisionLog(options.decisions), ShadowLog(options.decisions)
        self._names = settings.home, pipeline.source.name, pipeline.scenario.name
        self._in_use: InUse | None = None
        self._in_use_stamp = 0
        self._policy_problem = ""
        self._tables = ShopTables()
        self._follower: subprocess.Popen[bytes] | None = None
        self._look_at_tables()
        self._count_logged(self.maker.caps)

    async def decide(self, bodies: Sequence[DecideRequest]) -> list[Decided]:
        """Return what was decided for the requests, once it is on disk.

        Callers that wait at one moment are decided for together: features and probabilities of sixty requests take
        little longer than those of one.

        Raises:
            UnfitRequest: a field of one of them can't be what it says.
            DecisionLogError: decisions can't be written: nothing was decided.
        """
        if self.log.problem:
            raise DecisionLogError(self.log.problem)
        return await self._gathering.answer(bodies)

    async def _decide_for(self, callers: Sequence[Sequence[DecideRequest]]) -> list[list[Decided] | Exception]:
        """Return what was decided for each caller, on disk, or why nothing was."""
        now = self._now()
        served = self.maker.served
        vocabulary = () if served is None else served.policy.vocabulary.keys
        asked: list[list[DecisionRequest] | Exception] = []
        for bodies in callers:
            try:
                asked.append([self._asking.read(body, now, self._tables, vocabulary) for body in bodies])
            except UnfitRequest as error:
                asked.append(error)
        decided = self._decided(asked)
        made = [one for of_caller in decided if not isinstance(of_caller, Exception) for one in of_caller]
        lines: dict[date, list[str]] = {}
        for one in made:
            lines.setdefault(one.day, []).extend(self.maker.lines(one))
        written = [asyncio.wrap_future(self.log.append(day, found)) for day, found in lines.items() if found]
        failures = [one for one in await asyncio.gather(*written, return_exceptions=True) if isinstance(one, Exception)]
        if failures:
            self.maker.forget(made)
            return [one if isinstance(one, Exception) else failures[0] for one in decided]
        self._log_shadow(made)
        return decided

    def _decided(self, asked: Sequence[list[DecisionRequest] | Exception]) -> list[list[Decided] | Exception]:
        """Return the decisions of each caller; a caller whose requests fail leaves the others theirs."""
        fit = [one for one in asked if not isinstance(one, Exception)]
        try:
            together = iter(self.maker.decide([request for requests in fit for request in requests]))
            return [one if isinstance(one, Exception) else [next(together) for _ in one] for one in asked]
        except Exception as error:
            if len(fit) == 1:
                return [one if isinstance(one, Exception) else error for one in asked]
            return [one if isinstance(one, Exception) else self._decided([one])[0] for one in asked]

    def _log_shadow(self, decided: Sequence[Decided]) -> None:
        for day in sorted({one.day for one in decided if one.shadow}):
            self._shadow.append(
                day, [line for one in decided if one.day == day for line in self.maker.shadow_lines(one)]
            )

    def readiness(self) -> Readiness:
        """Return whether the service decides, and what isn't as it should be."""
        found, problems = self._in_use, [self.log.problem, self._policy_problem, self._shadow.problem]
        if found is None:
            problems.append("the registry has not been looked at yet")
        else:
            problems.append(found.problem)
            if (unseen := datetime.now(UTC) - found.seen_at) > LONGEST_UNSEEN:
                problems.append(f"the registry has not been looked at for {unseen.seconds} s")
        served, shared = self.maker.served, self.maker.shared_out
        incumbent = None if shared is None else shared.incumbent
        return Readiness(
            is_ready=found is not None and not self.log.problem,
            problems=tuple(filter(None, problems)),
            version=None if served is None else served.version,
            policy_version=None if served is None else served.policy.version,
            is_off=found is not None and found.is_off,
            control=None if (control := self.maker.control) is None else control.version,
            share=shared.share if shared is not None and (served is not None or shared == OWN_RULE) else 1.0,
            incumbent=None if incumbent is None or served is None else incumbent.version,
            is_shadow=shared is not None and served is not None and shared.is_shadow,
            exploring=self._exploring_today(),
        )

    def _exploring_today(self) -> tuple[int, date] | None:
        """Return the version that explored decisions follow today, and the last day of it; None where none are."""
        explored, served = self.maker.explored, self.maker.served
        if explored is None or served is None or self.maker.shared_out is not None:
            return None
        is_void = explored.plan.champion != served.version or explored.is_over(self.maker.business_day(self._now_us()))
        return None if is_void else (explored.plan.version, explored.plan.last_day)

    def histories_in_words(self) -> str:
        """Return of which day the histories in the store are, and what becomes of them; it asks the store.

        The days of a simulated shop are past: there it says how to take its last day for today.
        """
        try:
            as_of_day = self._store.read([]).as_of_day
        except StoreError as error:
            return f"none: every shopper counts as new ({error})"
        if as_of_day is None:
            return "none yet: every shopper counts as new"
        as_of = date(1970, 1, 1) + timedelta(days=as_of_day)
        if self._options.is_replaying:
            return f"of {as_of}"
        age = (self.maker.business_day(self._now_us()) - as_of).days
        if 0 <= age <= self._options.max_age_days:
            return f"of {as_of}, {counted(age, 'day')} before today" if age else f"of {as_of}, today"
        cure = (
            f"a simulated shop's days are past: --today {as_of} (make serve TODAY={as_of}) decides as on that day"
            if self.pipeline.source.is_simulated
            else "the night publishes newer ones"
        )
        return (
            f"of {as_of}, {counted(age, 'day')} before today and so stale: every shopper counts as new; {cure}"
            if age >= 0
            else f"of {as_of}, after today, and so not used: every shopper counts as new"
        )

    def look(self) -> None:
        """Look at what the follower found, and serve it from the next request on."""
        path = in_use_file(*self._names)
        with suppress(FileNotFoundError):
            stamp = path.stat().st_mtime_ns
            if stamp == self._in_use_stamp or (self._in_use is None and self._is_older_than_approvals(stamp)):
                return
            found = read_in_use(path)
            if found is not None:
                self._in_use_stamp = stamp
                self._serve(found)
                self._in_use = found

    def tell_readiness(self) -> None:
        """Say, once decisions are made, who makes them and of which day the histories are; and once none are."""
        found = self.readiness()
        if found.is_ready == self._is_told_ready:
            return
        self._is_told_ready = found.is_ready
        log = structlog.get_logger()
        if not found.is_ready:
            log.warning("not deciding", problems="; ".join(found.problems))
            return
        nobody = "none: the shop decides by its own rule" if found.share == 0 else "none: the fallback alone decides"
        champion = nobody if found.version is None else f"version {found.version}"
        log.info(
            "ready, decisions are made",
            address=self._options.address,
            champion=champion + self._since(found.version),
            policy=found.policy_version,
            histories=self.histories_in_words(),
            **({"problems": "; ".join(found.problems)} if found.problems else {}),
        )

    def start_following(self) -> None:
        """Start the follower, or start it again where it has ended."""
        if self._follower is None or self._follower.poll() is not None:
            if self._follower is not None:
                structlog.get_logger().warning("the follower of the registry has ended; starting it again")
            names = self.pipeline.scenario.name, self.pipeline.source.name
            command = child.command("follow", *names, str(os.getpid()))
            self._follower = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    async def keep_up(self) -> None:
        """Follow the registry, the shop's tables and the published histories until cancelled.

        Filling the store may take minutes, during which the registry is followed as ever.
        """
        n_looks, filling = 0, asyncio.create_task(self._fill_store())
        every = round(SECONDS_BETWEEN_TABLES / SECONDS_BETWEEN_LOOKS)
        while True:
            self._try(self.start_following)
            self._try(self.look)
            self._try(self.tell_readiness)
            self.log.probe()
            if n_looks % every == 0:
                self._try(self._look_at_tables)
                self.maker.forget_days_before(self.maker.business_day(self._now_us()) - timedelta(days=1))
                if filling.done():
                    filling = asyncio.create_task(self._fill_store())
            n_looks += 1
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

    def fill_store(self) -> None:
        """Fill the store with the newest histories, here and now, where there is nothing in it.

        Otherwise older ones are served meanwhile: a service that was killed decides again at once.
        """
        if not self._place.is_filled:
            self.fill_newest()

    def fill_newest(self) -> None:
        """Fill the store with the newest histories, here and now, whatever is in it."""
        self._place.fill(self._last_day())

    def close(self) -> None:
        """Write what waits, end the follower, and give the log up."""
        if self._follower is not None:
            self._follower.terminate()
            self._follower.wait()
        self.log.close()

    def _serve(self, found: InUse) -> None:
        """Make the version in use the one that decides; keep the one before where it can't be loaded."""
        self._policy_problem = ""
        self._serve_control(None if found.is_off else found.control)
        self._explore(None if found.is_off else found.exploring)
        if found.is_off or found.version is None:
            if self.maker.served is not None:
                what = "leaving decisions to the shop" if found.is_own_rule else "serving the fallback alone"
                structlog.get_logger().info(what, is_off=found.is_off)
            shared_out = self._left_to_the_shop(found)
            self.maker.served, self.maker.shared_out = None, shared_out
            return
        try:
            served = self._in_force(found.version)
            incumbent = None if found.incumbent is None else self._in_force(found.incumbent)
        except (PolicyError, OSError) as error:
            self._policy_problem = f"version {found.version} can't be loaded ({error}); what was served stays"
            return
        shared_out = None if found.share == 1 else SharedOut(found.share, incumbent, is_shadow=found.is_shadow)
        before = self.maker.shared_out
        if served is not self.maker.served or not _is_same_sharing(shared_out, before):
            counted = self.maker.caps
            # No request is answered between the two: shares and policies change together.
            self.maker.served, self.maker.shared_out = served, shared_out
            self._count_logged([cap for cap in self.maker.caps if cap not in counted])
            structlog.get_logger().info(
                "serving", version=found.version, policy=served.policy.version, share=found.share
            )

    def _left_to_the_shop(self, found: InUse) -> SharedOut | None:
        """Return how shoppers are shared out while nothing is served: a first launch leaves some to the shop.

        One that was rolled back leaves all.
        """
        if found.is_own_rule:
            return OWN_RULE
        if found.version is None or found.share == 1 or found.incumbent is not None:
            return None
        try:
            return SharedOut(found.share, None, self._in_force(found.version).policy.version)
        except (PolicyError, OSError) as error:
            self._policy_problem = f"version {found.version} can't be loaded ({error})"
            return None

    def _in_force(self, version: int) -> PolicyInUse:
        """Return the version's policy: the one in use where it is in use, else loaded from the follower's folder.

        Raises:
            PolicyError: it can't be loaded.
            OSError: it can't be read.
        """
        shared = self.maker.shared_out
        for one in (self.maker.served, None if shared is None else shared.incumbent):
            if one is not None and one.version == version:
                return one
        return PolicyInUse.of(load_policy(policy_folder(*self._names, version)), version)

    def _serve_control(self, version: int | None) -> None:
        """Let a version decide for the control group; None, and one that can't be loaded, leave it to the shop."""
        if version is None:
            self.maker.control = None
        elif self.maker.control is None or self.maker.control.version != version:
            try:
                policy = load_policy(policy_folder(*self._names, version))
            except (PolicyError, OSError) as error:
                self.maker.control = None
                self._policy_problem = f"version {version}, of the control group, can't be loaded ({error})"
            else:
                counted = self.maker.caps
                self.maker.control = PolicyInUse.of(policy, version)
                self._count_logged([cap for cap in self.maker.caps if cap not in counted])

    def _explore(self, plan: ExplorationPlan | None) -> None:
        """Follow a plan; None, and one that can't be followed, leave the champion alone."""
        before = self.maker.explored
        if plan is None or (before is not None and before.plan == plan):
            self.maker.explored = None if plan is None else before
            return
        self.maker.explored = None
        try:
            policy = load_policy(policy_folder(*self._names, plan.version))
            explored = Explored.of(plan, policy, self.pipeline.scenario.exploration.max_share)
            refuse_unseen(explored, self.pipeline.scenario)
        except (PolicyError, EvaluationError, OSError) as error:
            self._policy_problem = f"the exploration plan of version {plan.version} can't be followed ({error})"
            return
        counted = self.maker.caps
        self.maker.explored = explored
        self._count_logged([cap for cap in self.maker.caps if cap not in counted])
        structlog.get_logger().info("exploring", version=plan.version, shares=plan.shares, last_day=str(plan.last_day))

    def _is_older_than_approvals(self, stamp: int) -> bool:
        """Return whether somebody decided something since the follower looked last: a file left over from before."""
        with suppress(FileNotFoundError):
            return stamp < approvals_record(self._settings.home).stat().st_mtime_ns
        return False

    def _look_at_tables(self) -> None:
        if tables_digest(self._lake) != self._tables.digest:
            self._tables = read_tables(self._lake)
            self.maker.know_items(self._tables.categories, self._tables.told)

    def _count_logged(self, caps: Sequence[Cap]) -> None:
        """Count what shoppers got earlier today towards caps that nobody counted yet."""
        if not caps:
            return
        day = self.maker.business_day(self._now_us())
        for line in logged_lines(self._options.decisions, day):
            event = json.loads(line)
            self.maker.count_event(day, event["user_id"], [event["action"]], caps=caps)

    async def _fill_store(self) -> None:
        """Fill the store in a process of its own where something new is published."""
        last_day = self._last_day()
        try:
            if not self._place.is_due(last_day):
                return
            name, source = self.pipeline.scenario.name, self.pipeline.source.name
            filling = await asyncio.create_subprocess_exec(*child.command("fill", name, source, str(last_day)))
            await filling.wait()
        except Exception as error:
            structlog.get_logger().warning("the store of histories can't be filled", reason=str(error))

    def _last_day(self) -> int:
        """Return the last business day whose histories may be served, days since the epoch."""
        if self._options.is_replaying:
            return _FAR_DAY
        return self.maker.business_day(self._now_us()).toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()

    def _now(self) -> datetime:
        """Return the moment; where another day counts as today, the same time of that day."""
        return datetime.now(UTC) - self._behind

    def _now_us(self) -> int:
        return (self._now() - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    def approval_in_words(self) -> str:
        """Return who made the version in use champion, when and why; empty where nothing is, or no record says.

        Where the shop decides for all, it is who rolled the version back.
        """
        served = self.maker.served
        if served is None and self.maker.shared_out != OWN_RULE:
            return ""
        return self._since(None if served is None else served.version).removeprefix(", ")

    def _since(self, version: int | None) -> str:
        """Return who made the version champion, and when; empty where the record of the home doesn't say."""
        model = f"{self.pipeline.scenario.name}-policy"
        moved = [
            one
            for one in read_approvals(self._settings, model)
            if one.kind in ("promote", "rollback") and one.version == version
        ]
        return f", since {moved[-1].at:%Y-%m-%d %H:%M} UTC ({moved[-1].who}: {moved[-1].why})" if moved else ""

    def _try(self, step: Callable[[], None]) -> None:
        """Take a step of keeping up; a failure is logged, and the next one may succeed."""
        try:
            step()
        except Exception as error:
            structlog.get_logger().warning("can't keep up", step=step.__name__, reason=str(error))


def _behind(today: date, zone: ZoneInfo) -> timedelta:
    """Return how far back a day lies that counts as today, at the same time of day by the shop's clock."""
    now = datetime.now(zone)
    then = datetime.combine(today, now.time(), tzinfo=zone)
    return now.astimezone(UTC) - then.astimezone(UTC)


def _is_same_sharing(one: SharedOut | None, other: SharedOut | None) -> bool:
    if one is None or other is None:
        return one is other
    is_alike = (one.share, one.is_shadow) == (other.share, other.is_shadow)
    return is_alike and one.incumbent is other.incumbent


_FAR_DAY = 100_000
