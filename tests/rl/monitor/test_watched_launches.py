"""What a launch is held against."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from conf.specs.source import Source
from rl.monitor import watched_launches
from rl.registry.launches import Launch, Promise, PromisedGain
from tests.rl.serving.served_home import settings_at

GAIN = PromisedGain(baseline="champion (version 2)", value=0.5, lower=0.1, upper=0.9, level=0.975)
CONTROL = PromisedGain(baseline="control", value=1.0, lower=0.2, upper=1.8, level=0.975)
FIRST = GAIN.model_copy(update={"baseline": "behavior"})
EARLIER = FIRST.model_copy(update={"is_paired": False})


@pytest.mark.parametrize(
    ("gain", "against", "promised"),
    [(GAIN, CONTROL, 1.0), (FIRST, FIRST, 0.5), (GAIN, EARLIER, None), (GAIN, None, None)],
)
def test_a_launch_is_held_against_the_gain_over_the_shops_own_rule(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gain: PromisedGain,
    against: PromisedGain | None,
    promised: float | None,
) -> None:
    """An earlier release took what made the log for it, which is mostly the champion once there was one."""
    promise = Promise(estimator="dr", reward_unit="points", steps=40, gain=gain, against_control=against)
    launch = Launch(registry="", model="m", version=3, policy_version="cql-3", promise=promise)
    patched: dict[str, Any] = {
        "launches": lambda *_, **__: [launch],
        "open_store": lambda _: nullcontext(),
        "load_version": lambda *_: None,
    }
    for name, value in patched.items():
        monkeypatch.setattr(watched_launches, name, value)
    source = cast(Source, SimpleNamespace(name="shop", zone="UTC"))
    (found,) = watched_launches.watched_launches(settings_at(tmp_path), "m", source)
    assert (None if found.promise is None else found.promise.value) == promised
