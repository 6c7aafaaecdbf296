"""What the registry and the home's own records say of each policy: the champion, since when, and what waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from mlflow import MlflowClient

from conf.errors import NightcartError
from conf.settings import Settings
from rl.registry.approvals import Approval, Standing, standing
from rl.registry.launches import Launch, launches
from rl.registry.memory import require_database, require_model
from rl.registry.moved_aliases import moved_aliases, told
from rl.registry.served_shares import ServedShare, served_shares
from rl.registry.store import CHAMPION, aliases, open_store
from rl.registry.waiting import WaitingVersion, waiting_version
from rl.site.left_files import LeftFiles


@dataclass(frozen=True)
class Waiting:
    """A version that waits for a person: its night, verdict, since when, and whether it can still be approved."""

    version: int
    source: str
    night: date
    since: datetime
    approved_by: tuple[str, ...]
    stale: str


@dataclass(frozen=True)
class ModelState:
    """A registered policy as it stands.

    Attributes:
        scenario: whose policy.
        champion: version that is served; None where none is.
        launch: of that version, with since when, on whose word and on which promise; None where nothing tells.
        serves: for which share of the shoppers the champion decides, since when; empty where that goes without saying:
            it decides for all since its promotion.
        withdrawn: the rollback of a first version, since which the shop decides; None where there was none, or where
            another version was promoted since.
        is_off: the fallback alone is served.
        waiting: the version that waits for an answer; None where none does.
        moved: that somebody moved an alias in MLflow, in a sentence with the cure; empty where nobody did.
        is_seen: whether MLflow was asked; else only the home's own records speak, and what waits isn't known.
    """

    scenario: str
    champion: int | None = None
    launch: Launch | None = None
    serves: str = ""
    withdrawn: Approval | None = None
    is_off: bool = False
    waiting: Waiting | None = None
    moved: str = ""
    is_seen: bool = False


def read_models(settings: Settings, scenarios: Iterable[str], left: LeftFiles) -> dict[str, ModelState]:
    """Return the state of each scenario's policy; nothing is made or changed, and problems are noted.

    Where MLflow can't be asked, or was never begun, the home's records tell who is champion.
    """
    found = {scenario: _recorded(settings, scenario, left) for scenario in scenarios}
    database = settings.mlflow_database
    try:
        if database is not None:
            require_database(settings, database)
            if not database.exists():
                return found  # nothing was ever registered: opening it would make it
        with open_store(settings) as client:
            return {scenario: _asked(client, settings, one, left) for scenario, one in found.items()}
    except (NightcartError, OSError) as error:
        left.note(f"the registry can't be asked, so what waits isn't known: {str(error).splitlines()[0]}")
        return found


def _recorded(settings: Settings, scenario: str, left: LeftFiles) -> ModelState:
    model = f"{scenario}-policy"
    known = left.attempt(lambda: standing(settings, model), Standing(None, is_off=False, approved=frozenset()))
    served = [one for one in _launches(settings, model, left) if one.end is None]
    champion = known.champion if known.champion is not None else (served[-1].version if served else None)
    state = ModelState(scenario, champion, _launch_of(served, champion), is_off=known.is_off)
    return replace(state, serves=_serves(settings, state, left), withdrawn=known.withdrawn)


def _serves(settings: Settings, state: ModelState, left: LeftFiles) -> str:
    """Return for which share of the shoppers the champion decides, and who for the others, where it has stages."""
    launch, none = state.launch, dict[int, ServedShare]()
    if launch is None or state.is_off or (launch.share == 1 and len(launch.stages) < 2):
        return ""
    share = left.attempt(lambda: served_shares(settings, launch.model), none).get(launch.version)
    if share is None:
        return ""
    others = "the shop" if launch.replaced is None else f"version {launch.replaced}"
    return share.words if launch.share == 1 else f"{share.words}, and {others} for the others"


def _asked(client: MlflowClient, settings: Settings, state: ModelState, left: LeftFiles) -> ModelState:
    """Return the state with what MLflow says; a model of which it has less than the home knows stays as recorded."""
    model = f"{state.scenario}-policy"
    try:
        for note in require_model(client, settings, model):
            left.note(f"{model}: {note}")
        held, moved = aliases(client, model), moved_aliases(client, settings, model)
        waiting = waiting_version(client, settings, model)
    except NightcartError as error:
        left.note(str(error).splitlines()[0])
        return state
    champion = state.champion if state.champion is not None else held.get(CHAMPION)
    served = [one for one in _launches(settings, model, left) if one.end is None]
    return replace(
        state,
        champion=champion,
        launch=_launch_of(served, champion),
        waiting=None if waiting is None else _waiting(waiting),
        moved=told(model, moved) if moved else "",
        is_seen=True,
    )


def _launches(settings: Settings, model: str, left: LeftFiles) -> list[Launch]:
    none: list[Launch] = []
    return left.attempt(lambda: launches(settings.home, model), none)


def _launch_of(served: Iterable[Launch], champion: int | None) -> Launch | None:
    return next((one for one in reversed(list(served)) if one.version == champion), None)


def _waiting(found: WaitingVersion) -> Waiting:
    tags: Mapping[str, str] = found.version.tags
    return Waiting(
        version=found.version.version,
        source=tags["source"],
        night=found.version.date,
        since=found.registered_at,
        approved_by=found.approved_by,
        stale=found.stale,
    )
