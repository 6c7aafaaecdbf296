"""What the jobs say while they run: event names and key-values on stderr; stdout is for the result."""

from __future__ import annotations

import logging
import sys

import structlog

from conf.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Send log lines to stderr, in the format and from the level the settings say."""
    level = logging.DEBUG if settings.log_level == "debug" else logging.INFO
    as_json = settings.log_format == "json"
    last = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=True),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # stderr as it is when something is said
        cache_logger_on_first_use=False,
    )
