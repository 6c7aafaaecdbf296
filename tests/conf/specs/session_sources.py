"""Sources on which scenarios of sessions can run."""

from conf.specs.source import load_source, source_names


def session_sources() -> list[str]:
    """Return the names of the project's sources whose decisions are steps of sessions."""
    return [name for name in source_names() if load_source(name).decisions.clock == "session_step"]
