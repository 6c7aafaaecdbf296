"""Options of Spark's Java where the driver runs on this machine: its logging, and classes that were loaded before."""

from __future__ import annotations

from pathlib import Path

from conf.settings import PROJECT_ROOT

LOGGING = PROJECT_ROOT / "conf" / "spark" / "log4j2.properties"
CLASS_ARCHIVE = "spark-classes.jsa"
"""In the pipeline's environment: Spark's classes as Java has them in memory, written by `make setup`."""

# Of an archive that doesn't fit, after an upgrade of Java for instance, nothing is used and nothing said.
_QUIETLY = "-Xlog:cds=off -Xlog:cds+dynamic=off"


def java_options(pipeline_venv: Path) -> str:
    """Return the options as Spark takes them: it splits them at spaces, unless they are quoted.

    Args:
        pipeline_venv: the environment whose Spark is started.
    """
    return f"{logging_option()} {archive_options(pipeline_venv / CLASS_ARCHIVE)}".strip()


def logging_option() -> str:
    """Return the option that names Java's logging file, as a URI, which holds no space."""
    return f"-Dlog4j2.configurationFile={LOGGING.as_uri()}"


def archive_options(archive: Path) -> str:
    """Return the options that let Java begin with the archived classes; none where there is no archive."""
    try:
        is_there = archive.stat().st_size > 0
    except OSError:
        is_there = False
    return f"{quoted(f'-XX:SharedArchiveFile={archive}')} {_QUIETLY}" if is_there else ""


def quoted(option: str) -> str:
    """Return the option as one word for Spark, whatever stands in it."""
    escaped = option.replace('"', '\\"')
    return f'"{escaped}"'
