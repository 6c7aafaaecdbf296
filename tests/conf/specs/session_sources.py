"""Sources on which scenarios of sessions can run."""

from conf.specs.source import load_source, source_names


def session_sources() -> list[str]:
    """Return the names of the project's sources whose decisions are steps of sessions, made for any such scenario."""
    found = [load_source(name) for name in source_names()]
    return [one.name for one in found if one.decisions.clock == "session_step" and one.scenarios is None]
