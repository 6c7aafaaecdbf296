"""Files of Spark properties: the project's own in `conf/spark`, and a deployment's, which counts over it."""

from __future__ import annotations

from pathlib import Path

from conf.errors import SettingError
from conf.settings import PROJECT_ROOT, Settings

SPARK_FOLDER = PROJECT_ROOT / "conf" / "spark"


def is_one_machine(master: str) -> bool:
    """Return whether driver and workers are processes of this machine, started for this session alone."""
    return master.startswith("local")


def properties_file(master: str) -> Path:
    """Return the project's file for the master: that of one machine, or that of clusters."""
    return SPARK_FOLDER / ("local.conf" if is_one_machine(master) else "cluster.conf")


def read_properties(path: Path) -> dict[str, str]:
    """Return the options a Spark properties file holds, by name."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.split(None, 1) for line in lines if line and not line.startswith("#"))
    return {pair[0]: pair[1].strip() if len(pair) > 1 else "" for pair in pairs}


def given_properties(settings: Settings) -> dict[str, str]:
    """Return the options of the file that the deployment names; none where it names none.

    Raises:
        SettingError: the file can't be read.
    """
    if settings.spark_options is None:
        return {}
    try:
        return read_properties(settings.spark_options)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't text"
        raise SettingError(f"NIGHTCART_SPARK_OPTIONS: {settings.spark_options} can't be read: {reason}") from error
