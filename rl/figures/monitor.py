"""monitor.json: what the champion earned beside its promise, and whether what decides is still what was judged.

Gains are in the scenario's reward unit per episode, over the control group; shares lie in [0, 1]; None means that it
isn't known. Where a part has a `refusal`, that sentence stands in its place.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from conf.publication import write_atomically
from conf.specs.strict_yaml import StrictModel
from rl.errors import EvaluationError
from rl.figures.effects import Bounded

AlertKind = Literal[
    "broken_promise",
    "undecided",
    "nothing_served",
    "missing_decisions",
    "strange_decisions",
    "unexplained_decisions",
    "other_frequencies",
    "changed",
]
Standing = Literal["kept", "broken", "open"]


class Promised(StrictModel):
    """A gain as it was promised; corrected: with the luck of passing the gate taken out; level: of each bound."""

    value: float
    corrected: float | None
    lower: float
    upper: float
    level: float


class Earned(StrictModel):
    """A gain as it was seen on served days; its bounds hold at all days together."""

    value: float
    lower: float
    upper: float
    standard_error: float
    n_days: int
    n_shoppers: int


class ArmFigures(StrictModel):
    """An arm's mean value per episode on a day; lower, upper: for the day alone, None where too few came."""

    n_episodes: int
    value: float
    lower: float | None
    upper: float | None


class DayFigures(StrictModel):
    """A served day.

    is_settled: all that its decisions earn is in. champion, control: None where an arm had nobody. gain: of the day
    alone. running: of all settled days up to this one, with bounds that hold at all days together; None before both
    arms were seen. there: share of its value that is usually in by this age, of days that aren't settled; whole: the
    champion's value made whole by it. uncounted: why the day counts for no promise; empty where it does.
    """

    day: date
    is_settled: bool
    champion: ArmFigures | None
    control: ArmFigures | None
    gain: Bounded | None
    running: Bounded | None
    there: float | None = None
    whole: float | None = None
    uncounted: str = ""


class LaunchFigures(StrictModel):
    """A promotion's promise beside what it earned.

    launched, ended: None where that isn't known, or it is still served. end: how it ended, in words. score: earned less
    promised over both errors. is_final: it has ended and all its days are settled. refusal: why nothing is known of
    what it earned.
    """

    version: int
    policy_version: str | None
    launched: date | None
    ended: date | None = None
    end: str = ""
    promised: Promised | None
    earned: Earned | None = None
    standing: Standing = "open"
    score: float | None = None
    is_final: bool = False
    refusal: str | None = None


class InCommon(StrictModel):
    """Covariance of the earned gains of two launches, by versions: the same shoppers are in both."""

    first: int
    second: int
    covariance: float


class LedgerFigures(StrictModel):
    """All launches together.

    calibration: sum of earned over sum of promised gains, launches being the units; None where that can't be told.
    sentence: whether offline numbers predict. in_common: of each two launches whose earned gains are known.
    n_unknown_pairs: of launches that were compared, of which it isn't known what they have in common, since the days of
    one were gone before.
    """

    launches: tuple[LaunchFigures, ...]
    n_compared: int
    calibration: float | None
    lower: float | None
    upper: float | None
    level: float
    sentence: str
    reward_unit: str
    in_common: tuple[InCommon, ...] = ()
    n_unknown_pairs: int = 0


class FrequencyFigures(StrictModel):
    """A day's decisions of the champion: chosen as often as told?

    n_decisions: of the champion. n_explained: whose propensity is what the policy gives for the row in the tables; only
    these are compared. p_value: of counts so far from their expectations; None where too few were made.
    """

    day: date
    policy_version: str
    n_decisions: int
    n_explained: int
    statistic: float | None
    degrees: int | None
    p_value: float | None


class ArrivalFigures(StrictModel):
    """A day's decisions in the service's log and in the tables; missing, strange: some of their ids.

    log_file: where its log should stand and doesn't, or is empty; None where it is there.
    """

    day: date
    n_logged: int
    n_arrived: int
    n_missing: int
    missing: tuple[str, ...]
    n_strange: int
    strange: tuple[str, ...]
    is_due: bool
    log_file: str | None = None


class SeriesFigures(StrictModel):
    """A series that is watched; evidence: share of what an alarm takes; see `rl.monitor.drift.Kind` for kinds."""

    kind: Literal["volume", "mean", "shape", "names", "share", "score"]
    name: str
    figure: float | None
    expected: float | None
    evidence: float


class ChangeFigures(StrictModel):
    """A series that wasn't what it had been; sentence: what changed, in words."""

    kind: Literal["volume", "mean", "shape", "names", "share", "score"]
    name: str
    day: date
    figure: float
    expected: float | None
    sentence: str


class SeenFigures(StrictModel):
    """What a night saw of a day's value: how much is usually there by an age is learned from it."""

    day: date
    age: int
    value: float


class Alert(StrictModel):
    """Something a person should know; `subject` tells alerts of one kind and day apart."""

    kind: AlertKind
    day: date
    subject: str
    sentence: str


class ExploredDayFigures(StrictModel):
    """A day on which decisions followed an exploration plan.

    policy_version: of the mixture. version: whose plan it was; None where that isn't known. n_explained: decisions
    whose logged propensity is what champion, plan and version give the row. is_counted: its episodes count for the
    champion, weighed by its probabilities; why: why not.
    """

    day: date
    policy_version: str
    version: int | None
    n_decisions: int
    n_explained: int
    is_counted: bool
    why: str = ""


class HoldoutFigures(StrictModel):
    """A share of the shoppers that was held out, as nights saw it from the first to the last of these dates."""

    first: date
    last: date
    share: float


class MonitorFigures(StrictModel):
    """A night's look at what is served.

    version, policy_version: of the champion. level: of the gains' bounds. arrivals_refusal, frequencies_refusal: why
    these weren't compared. rolled_back_to: version that took over; is_withdrawn: whether the shop's own rule did, as
    before a first version; rollback_refusal: why none could. unknown_items: share of the items on offer that the
    champion doesn't know, on the last day. other_features: share of the champion's decisions whose propensity is
    another than the tables' observation gives, on the last day that is whole: decided on features that were stale or
    unknown to the service, or under rules of a slate or a day. fallback: share of the last day's served decisions that
    no policy made. explored_days: on which an exploration plan was followed. holdouts: shares of the shoppers held out,
    ascending; none as an earlier release left it.
    """

    source: str
    source_title: str
    scenario: str
    scenario_title: str
    date: date
    reward_unit: str
    steps: int
    version: int
    policy_version: str
    level: float
    false_alarms_a_year: float
    on_broken_promise: Literal["alert", "rollback"]
    days: tuple[DayFigures, ...]
    launch: LaunchFigures
    ledger: LedgerFigures
    arrivals: tuple[ArrivalFigures, ...] = ()
    arrivals_refusal: str | None = None
    frequencies: tuple[FrequencyFigures, ...] = ()
    frequencies_refusal: str | None = None
    changes: tuple[ChangeFigures, ...] = ()
    series: tuple[SeriesFigures, ...] = ()
    alerts: tuple[Alert, ...] = ()
    rolled_back_to: int | None = None
    is_withdrawn: bool = False
    explored_days: tuple[ExploredDayFigures, ...] = ()
    rollback_refusal: str | None = None
    unknown_items: float | None = None
    other_features: float | None = None
    fallback: float | None = None
    seen: tuple[SeenFigures, ...] = ()
    holdouts: tuple[HoldoutFigures, ...] = ()

    def write(self, path: Path) -> None:
        """Write the figures to the file, replacing it atomically."""
        write_atomically(path, self.model_dump_json(indent=1))


def read_monitor(path: Path) -> MonitorFigures:
    """Return the figures that `write` left.

    Raises:
        EvaluationError: the file is missing, or of another form.
    """
    try:
        return MonitorFigures.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EvaluationError(f"{path}: no such file; run monitor first") from error
    except ValidationError as error:
        reason = str(error).splitlines()[0]
        raise EvaluationError(f"{path}: not what monitor writes ({reason}); run monitor again for its date") from error
