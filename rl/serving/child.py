"""What runs beside the service in a process of its own: it follows the registry, or fills the store of histories."""

from __future__ import annotations

import os
import sys

from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.logs import configure_logs
from rl.serving.store_filling import StorePlace


def command(what: str, scenario: str, source: str, *further: str) -> list[str]:
    """Return the command line of a child."""
    return [sys.executable, "-m", "rl.serving.child", what, scenario, source, *further]


def main(what: str, scenario: str, source: str, *further: str) -> None:
    """Do it; settings come from the environment."""
    settings = Settings.from_environment()
    configure_logs(settings.log_format)
    pipeline = load_pipeline(scenario, source)
    if what == "fill":
        StorePlace(settings, pipeline).fill(int(further[0]))
        return
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import rl.registry.store  # noqa: F401, PLC0415  (sets what MLflow reads when it is imported)
    from rl.serving.following import follow  # noqa: PLC0415

    follow(settings, pipeline, int(further[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
