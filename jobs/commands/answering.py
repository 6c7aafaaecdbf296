"""How a command without Spark ends that asks for settings alone: one line of JSON, or the error's sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from conf.errors import NightcartError, exit_code
from conf.plain_json import to_json
from conf.private_home import keep_private
from conf.settings import Settings
from jobs.log_lines import configure_logs


def answered(command: Callable[[Settings], dict[str, Any]]) -> int:
    """Run the command under the environment's settings, print what it returns, and return the exit code."""
    try:
        settings = Settings.from_environment()
        configure_logs(settings)
        keep_private(settings)
        print(to_json(command(settings)), flush=True)
    except NightcartError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return exit_code(error)
    return 0
