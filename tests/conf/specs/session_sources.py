"""Sources on which the scenario of sessions can run."""

from conf.specs.source import source_names

# Their decisions are no steps of a session, and the clock that they are made by isn't built yet.
OF_OTHER_CLOCKS = {"simulated_promotion"}


def session_sources() -> list[str]:
    """Return the names of the project's sources but those that wait for a clock of their own."""
    return [name for name in source_names() if name not in OF_OTHER_CLOCKS]
