"""Files of Spark properties: the project's own in `conf/spark`, and a deployment's, which counts over it."""

from __future__ import annotations

import re
from pathlib import Path

from conf.errors import SettingError
from conf.settings import PROJECT_ROOT, Settings

_OPTION = re.compile(r"([^\s=:]*)\s*[=:]?\s*(.*)")
SPARK_FOLDER = PROJECT_ROOT / "conf" / "spark"


def is_one_machine(master: str) -> bool:
    """Return whether driver and workers are processes of this machine, started for this session alone."""
    return master.startswith("local")


def properties_file(master: str) -> Path:
    """Return the project's file for the master: that of one machine, or that of clusters."""
    return SPARK_FOLDER / ("local.conf" if is_one_machine(master) else "cluster.conf")


def read_properties(path: Path) -> dict[str, str]:
    """Return the options a Spark properties file holds, by name; a blank, `=` or `:` ends a name, as to Spark."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    found = (_OPTION.fullmatch(line) for line in lines if line and not line.startswith(("#", "!")))
    return {one[1]: one[2] for one in found if one is not None}


def given_properties(settings: Settings) -> dict[str, str]:
    """Return the options of the file that the deployment names; none where it names none.

    Raises:
        SettingError: the file can't be read, or names what is no option.
    """
    if settings.spark_options is None:
        return {}
    try:
        found = read_properties(settings.spark_options)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't text"
        raise SettingError(f"NIGHTCART_SPARK_OPTIONS: {settings.spark_options} can't be read: {reason}") from error
    if unknown := [name for name in found if not name.startswith("spark.")]:
        raise SettingError(
            f"NIGHTCART_SPARK_OPTIONS: {settings.spark_options}: {unknown[0]!r} is no option of Spark; expected a line "
            "each, as spark.executor.memory 2g"
        )
    return found
