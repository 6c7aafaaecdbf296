"""d3rlpy is imported, and what its import does to the process besides is undone.

Importing it sends every structlog logger to stdout, where the result belongs, and makes gym print a notice about
itself. Modules that import from d3rlpy import this one first.
"""

from __future__ import annotations

import contextlib
import io

import structlog

_configured = structlog.get_config() if structlog.is_configured() else None
with contextlib.redirect_stderr(io.StringIO()):
    import d3rlpy  # noqa: F401  (imported for what is undone below)
structlog.reset_defaults()
if _configured is not None:
    structlog.configure(**_configured)
