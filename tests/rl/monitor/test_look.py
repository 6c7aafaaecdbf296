"""What a night's look judges, and when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from conf.paths import Lake
from conf.specs.scenario import Pipeline
from rl.data.transitions_reading import read_transitions
from rl.figures.monitor import FrequencyFigures, MonitorFigures
from rl.monitor.holdouts import Holdout
from rl.monitor.launch_outcomes import WatchedLaunch
from rl.monitor.look import Checked, Served, look_at
from rl.monitor.served_rows import ExploredRows, Lots, read_served_rows, served_episodes
from rl.serving.decide import FALLBACK_VERSION
from tests.rl.factories import make_pipeline, make_row, write_transitions

FIRST = date(2026, 3, 2)
PIPELINE = make_pipeline()
NOTHING_CHECKED = Checked((), None, (), None, None)
LAUNCH = WatchedLaunch(1, "first", FIRST, None)
N_DAYS, N_NEWEST, LATE = 10, 8, PIPELINE.source.lateness_days


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Days of some 60 decisions each, and one of eight among the last."""
    made = Lake(tmp_path_factory.mktemp("lake"), PIPELINE.source.name)
    rng = np.random.default_rng(1)
    for number in range(N_DAYS + LATE):
        day, n = FIRST + timedelta(days=number), N_NEWEST if number == N_DAYS - 1 else int(rng.poisson(60))
        moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        rows = [
            make_row(
                PIPELINE,
                episode_id=f"{day}-{one}",
                decision_id=f"{day}-{one}",
                user_id=f"s-{one}",
                decision_time=moment,
                policy_version="first",
            )
            for one in range(n)
        ]
        write_transitions(made, PIPELINE, day, rows)
    return made


def figures(
    lake: Lake, horizon: date, checked: Checked = NOTHING_CHECKED, pipeline: Pipeline = PIPELINE
) -> MonitorFigures:
    """The look of a night at what was served up to it."""
    rows = read_served_rows(read_transitions(PIPELINE, lake, horizon), FIRST)
    assert rows is not None
    lots = Lots(lambda _: 0, lambda _: Holdout(0.0, 0.0), lambda _: False, lambda *_: True)
    episodes = served_episodes(
        rows, PIPELINE, horizon=horizon, arms={"first": LAUNCH.arm}, fallback=FALLBACK_VERSION, lots=lots
    )
    n = rows.transitions.n_transitions
    explored = ExploredRows(np.zeros(n, dtype=bool), np.zeros(n, dtype=bool), np.ones(n), {}, ())
    served = Served(rows, episodes, [LAUNCH], LAUNCH, FALLBACK_VERSION, horizon, explored)
    return look_at(served, checked, pipeline, None).figures


def test_a_day_is_judged_once_its_late_lines_are_in(lake: Lake) -> None:
    """On its own night the day before it is the last one judged, until late lines can come no more."""
    short = FIRST + timedelta(days=N_DAYS - 1)
    assert LATE >= 1
    volumes = {late: volume(figures(lake, short + timedelta(days=late))) for late in (0, LATE - 1, LATE)}
    assert min(volumes[0], volumes[LATE - 1]) > 5 * N_NEWEST
    assert volumes[LATE] == pytest.approx(N_NEWEST)


def volume(found: MonitorFigures) -> float:
    """The number of decisions on the last day that was judged."""
    (figure,) = [one.figure for one in found.series if one.kind == "volume"]
    assert figure is not None
    return figure


@pytest.mark.parametrize(
    ("most", "told"),
    [(None, {1: "None of 50 decisions"}), (0.2, {1: "None of 50 decisions", 2: "30.0% of 50 decisions"})],
)
def test_decisions_that_the_champion_doesnt_explain_are_told(
    lake: Lake, most: float | None, told: dict[int, str]
) -> None:
    """A day of which none is explained in any case, others above the share; never a day whose lines still come."""
    horizon = FIRST + timedelta(days=N_DAYS)
    explained = {0: 50, 1: 0, 2: 35, 3: 40, N_DAYS: 0}
    days = [
        FrequencyFigures(
            day=FIRST + timedelta(days=number),
            policy_version="first",
            n_decisions=50,
            n_explained=n,
            statistic=None,
            degrees=None,
            p_value=None,
        )
        for number, n in explained.items()
    ]
    monitor = PIPELINE.scenario.monitor.model_copy(update={"most_unexplained": most})
    pipeline = PIPELINE.model_copy(update={"scenario": PIPELINE.scenario.model_copy(update={"monitor": monitor})})
    alerts = figures(lake, horizon, Checked(days, None, (), None, None), pipeline).alerts
    assert {(one.day - FIRST).days for one in alerts if one.kind == "unexplained_decisions"} == set(told)
    for number, words in told.items():
        assert [one.sentence.startswith(words) for one in alerts if one.day == FIRST + timedelta(days=number)] == [True]
