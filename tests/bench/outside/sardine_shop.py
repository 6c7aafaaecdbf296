"""SARDINE's simulated shoppers, by NumPy and gymnasium alone: logs of a behavior policy, and what a policy truly earns.

Runs in an environment of its own (`build/sardine`), which has nothing of the pipeline but `rl.policy`:

    python -m tests.bench.outside.sardine_shop log FOLDER --seed 1 --sessions 3000 --day 2026-03-02
    python -m tests.bench.outside.sardine_shop truth POLICY --seed 1 --sessions 1000

`log` writes one day's raw delivery, as a shop would; `truth` plays sessions under a policy's files and prints one JSON
line. A shopper sees one item a step and clicks or doesn't; who bores is a matter of the last clicks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.observation_features import id_hash
from rl.policy import StochasticPolicy, load_policy
from rl.policy.action_probabilities import draw

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

ENVIRONMENT = "sardine/SingleItem-BoredInf-v0"
N_STEPS = 100
REPEATED_SHARE = 0.8
SECONDS_PER_STEP, SECONDS_TO_CLICK = 10, 2
LATEST_START_HOUR = 21
NONE = -1

Chooser = Callable[["Sessions", np.random.Generator], tuple[IntArray, FloatArray]]
"""Returns an item for every session and the probability it was drawn with, `(n,)` each."""


@dataclass
class Sessions:
    """Sessions played in lockstep.

    Attributes:
        environments: one for each.
        shown: items by step, `(n, n_steps so far)`.
        clicked: whether each was clicked, likewise.
        first: the item that was clicked before the first step, by chance, or NONE, `(n,)`.
    """

    environments: Sequence[Any]
    first: IntArray
    shown: list[IntArray] = field(default_factory=list)
    clicked: list[npt.NDArray[np.bool_]] = field(default_factory=list)

    @classmethod
    def begun(cls, n: int, *, seed: int, environment: str = ENVIRONMENT) -> Sessions:
        """Return so many sessions of shoppers that the seed draws."""
        import gymnasium  # noqa: PLC0415  (only this environment has it)
        import sardine  # noqa: F401, PLC0415  (registers its shops)

        made, first = [], np.full(n, NONE, dtype=np.int64)
        for number in range(n):
            one = gymnasium.make(environment).unwrapped
            seen, _ = one.reset(seed=seed * 1_000_000 + number)
            made.append(one)
            if seen["clicks"][0]:
                first[number] = int(seen["slate"][0])
        return cls(made, first)

    def __len__(self) -> int:
        return len(self.environments)

    @property
    def n_items(self) -> int:
        """Items of the catalogue."""
        return int(self.environments[0].num_items)

    def show(self, items: IntArray) -> None:
        """Show each shopper an item."""
        clicks = [
            one.step(np.array([item]))[4]["clicks"][0] for one, item in zip(self.environments, items, strict=True)
        ]
        self.shown.append(items)
        self.clicked.append(np.array(clicks, dtype=np.bool_))

    @property
    def last_clicked(self) -> IntArray:
        """Item that each shopper clicked last, or NONE, `(n,)`."""
        found = self.first.copy()
        for items, clicks in zip(self.shown, self.clicked, strict=True):
            found[clicks] = items[clicks]
        return found

    @property
    def returns(self) -> FloatArray:
        """Clicks of each session, `(n,)`."""
        return np.sum(np.stack(self.clicked), axis=0).astype(np.float64)


def play(sessions: Sessions, choose: Chooser, generator: np.random.Generator) -> list[FloatArray]:
    """Play the sessions to their end; return the probability of each step's items, `(n,)` a step."""
    propensities = []
    for _ in range(N_STEPS):
        items, propensity = choose(sessions, generator)
        sessions.show(items)
        propensities.append(propensity)
    return propensities


def behavior(sessions: Sessions, generator: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Repeat the item clicked last in 80% of decisions, and choose any item alike in the others; `Chooser`'s result."""
    return repeating(REPEATED_SHARE)(sessions, generator)


def repeating(share: float) -> Chooser:
    """Return the rule that repeats the item clicked last in a share of decisions, and chooses at random in others."""

    def choose(sessions: Sessions, generator: np.random.Generator) -> tuple[IntArray, FloatArray]:
        last, n_items = sessions.last_clicked, sessions.n_items
        repeats = (last != NONE) & (generator.random(len(last)) < share)
        items = np.where(repeats, last, generator.integers(n_items, size=len(last)))
        weight = np.where(last != NONE, share, 0.0)
        return items, np.where(items == last, weight, 0.0) + (1 - weight) / n_items

    return choose


def best_next_click(sessions: Sessions, generator: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Show each shopper the item of the likeliest click, as only the simulator knows; `Chooser`'s result."""
    scores = [one.item_embedd @ one.cur_user_embedd for one in sessions.environments]
    return np.array([int(np.argmax(one)) for one in scores], dtype=np.int64), np.ones(len(scores))


def policy_chooser(policy: StochasticPolicy, n_items: int) -> Chooser:
    """Return how a registered policy's files choose, whatever of the catalogue they know."""
    item_of = {item_id(number): number for number in range(n_items)}
    items = np.array([item_of[key] for key in policy.vocabulary.keys], dtype=np.int64)
    mask = policy.vocabulary.mask_of(None)

    def choose(sessions: Sessions, generator: np.random.Generator) -> tuple[IntArray, FloatArray]:
        features = policy.encode(observations(sessions, policy))
        chances = policy.probabilities(features, np.tile(mask, (len(features), 1)))
        index = draw(chances, generator)
        return items[index], chances[np.arange(len(index)), index]

    return choose


def observations(sessions: Sessions, policy: StochasticPolicy) -> dict[str, IntArray]:
    """Return what the pipeline observes at the sessions' next decision, by feature, as its kernel defines them."""
    hashes = np.array([*(id_hash(item_id(number)) for number in range(sessions.n_items)), 0], dtype=np.int64)
    n, step = len(sessions), len(sessions.shown)
    lengths = {column.name: column.length for column in policy.encoder.columns}
    shown = np.full((n, lengths.get("recent_shown_items", 0)), NONE, dtype=np.int64)
    for place, items in enumerate(reversed(sessions.shown[-shown.shape[1] or step :])):
        shown[:, place] = items
    clicked = sessions.clicked[-1] if step else np.zeros(n, dtype=np.bool_)
    since = np.where(clicked, SECONDS_PER_STEP - SECONDS_TO_CLICK, SECONDS_PER_STEP)
    if not step:
        since = np.where(sessions.first != NONE, SECONDS_PER_STEP, -1)
    was_clicked = np.stack([*sessions.clicked[::-1], np.zeros(n, dtype=np.bool_)], axis=1)
    n_clicks = (sessions.first != NONE).astype(np.int64) + sum(one.astype(np.int64) for one in sessions.clicked)
    found = {
        "recent_shown_items": hashes[shown],
        "recent_engaged_items": hashes[_engaged(sessions, lengths.get("recent_engaged_items", 0))],
        "session_step": np.full(n, step, dtype=np.int64),
        "n_session_clicks": np.asarray(n_clicks, dtype=np.int64),
        "seconds_since_previous_event": since.astype(np.int64),
        # Steps back to the last click or the start, and back to the last step without one.
        "n_decisions_since_engagement": np.where(was_clicked.any(axis=1), was_clicked.argmax(axis=1), step),
        "n_engaged_in_a_row": (~was_clicked).argmax(axis=1),
    }
    return {name: found[name] for name in lengths}


def _engaged(sessions: Sessions, length: int) -> IntArray:
    """Return the items that each shopper clicked, most recent first, `(n, length)`."""
    found = np.full((len(sessions), length), NONE, dtype=np.int64)
    n_found = np.zeros(len(sessions), dtype=np.int64)
    ordered = [*zip(sessions.shown, sessions.clicked, strict=True)][::-1]
    for items, clicks in [*ordered, (sessions.first, sessions.first != NONE)]:
        rows = np.flatnonzero(clicks & (n_found < length))
        found[rows, n_found[rows]] = items[rows]
        n_found[rows] += 1
    return found


def item_id(number: int) -> str:
    """Return the natural key of an item."""
    return f"item-{number:04d}"


def write_log(folder: Path, *, seed: int, n_sessions: int, day: date, environment: str = ENVIRONMENT) -> dict[str, Any]:
    """Write the day's events and items below the folder; return what the behavior policy earned."""
    sessions = Sessions.begun(n_sessions, seed=seed, environment=environment)
    generator = np.random.default_rng(seed)
    propensities = play(sessions, behavior, generator)
    starts = np.sort(generator.integers(60, LATEST_START_HOUR * 3600, size=n_sessions))
    below = folder / str(day)
    below.mkdir(parents=True, exist_ok=True)
    with (below / "events.jsonl").open("w", encoding="utf-8") as file:
        for record in _records(sessions, propensities, starts, day):
            file.write(json.dumps(record) + "\n")
    (below / "items.jsonl").write_text("\n".join(_item_lines(sessions, day)) + "\n", encoding="utf-8")
    return {"n_sessions": n_sessions, "n_decisions": n_sessions * N_STEPS, **_summary(sessions.returns)}


def _item_lines(sessions: Sessions, day: date) -> Iterator[str]:
    vectors = sessions.environments[0].item_embedd
    for number, vector in enumerate(vectors):
        topics = {f"topic_{place}": float(value) for place, value in enumerate(vector)}
        valid_from = f"{day - timedelta(days=1)}T00:00:00Z"
        yield json.dumps({"item_id": item_id(number), "valid_from": valid_from, **topics})


def _records(
    sessions: Sessions, propensities: Sequence[FloatArray], starts: IntArray, day: date
) -> Iterator[dict[str, object]]:
    """Yield each session's events in the order they happened; propensities as decimals that the tables hold."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for number, start in enumerate(starts.tolist()):
        begun, who = midnight + timedelta(seconds=start), f"shopper-{day}-{number:05d}"
        if sessions.first[number] != NONE:
            first = begun - timedelta(seconds=SECONDS_PER_STEP)
            yield _event(f"{day}-{number:05d}-first", first, who, "view", int(sessions.first[number]))
        for step, (items, clicks, propensity) in enumerate(
            zip(sessions.shown, sessions.clicked, propensities, strict=True)
        ):
            at, decision = begun + timedelta(seconds=SECONDS_PER_STEP * step), f"{day}-{number:05d}-{step:03d}"
            item = int(items[number])
            yield _event(f"{decision}-shown", at, who, "impression", item) | {
                "decision_id": decision,
                "action": item_id(item),
                "propensity": f"{propensity[number]:.15f}",
                "policy_version": "repeat-80",
            }
            if clicks[number]:
                clicked_at = at + timedelta(seconds=SECONDS_TO_CLICK)
                yield _event(f"{decision}-click", clicked_at, who, "click", item) | {"decision_id": decision}


def _event(event_id: str, at: datetime, who: str, kind: str, item: int) -> dict[str, object]:
    return {
        "event_id": event_id,
        "event_time": at.isoformat().replace("+00:00", "Z"),
        "event_type": kind,
        "user_id": who,
        "item_id": item_id(item),
    }


def true_value(choose: Chooser, *, seed: int, n_sessions: int, environment: str = ENVIRONMENT) -> dict[str, Any]:
    """Return the clicks a session under a rule, on shoppers that the seed draws: the same for every rule."""
    sessions = Sessions.begun(n_sessions, seed=seed, environment=environment)
    play(sessions, choose, np.random.default_rng([seed, 1]))
    return _summary(sessions.returns)


def _summary(returns: FloatArray) -> dict[str, Any]:
    error = float(returns.std(ddof=1) / np.sqrt(len(returns))) if len(returns) > 1 else float("nan")
    value = float(returns.mean())
    return {"value": round(value, 3), "lower": round(value - 1.96 * error, 3), "upper": round(value + 1.96 * error, 3)}


RULES: dict[str, Chooser] = {
    "random": repeating(0.0),
    "behavior": behavior,
    "repeat last click": repeating(1.0),
    "best next click, known shopper": best_next_click,
}


def main(arguments: Sequence[str]) -> int:
    """Write a log or play a policy, as the arguments say; print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("log", "truth"))
    parser.add_argument("target", help="folder of the logs; a policy's folder, or one of " + ", ".join(RULES))
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--day", type=date.fromisoformat, default=date(2026, 3, 2))
    parser.add_argument("--environment", default=ENVIRONMENT)
    given = parser.parse_args(arguments)
    size = {"seed": given.seed, "n_sessions": given.sessions, "environment": given.environment}
    if given.what == "log":
        found = write_log(Path(given.target), day=given.day, **size)
    else:
        chooser = RULES.get(given.target) or policy_chooser(load_policy(Path(given.target)), 1000)
        found = true_value(chooser, **size)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
