"""The home page as somebody asks for it: made anew by the pipeline's own command, at most once a minute."""

from __future__ import annotations

import html
import threading
import time
from pathlib import Path

from conf.paths import site_folder
from conf.settings import Settings
from dags.command_output import clear_message
from dags.pipeline_command import LearningCommand

_SECONDS_IT_STAYS = 60.0
_SECONDS_TO_MAKE_IT = 90.0


class HomePage:
    """Makes the pages of the site when they are asked for: after a failed night and an approval too.

    Attributes:
        settings: name the home, and the environment whose command makes it.
        seconds_to_make_it: after these the command is stopped.
    """

    def __init__(self, settings: Settings, *, seconds_to_make_it: float = _SECONDS_TO_MAKE_IT) -> None:
        self.settings = settings
        self.seconds_to_make_it = seconds_to_make_it
        self._one_at_a_time = threading.Lock()

    def refresh(self) -> str:
        """Make the pages anew unless they are fresh; return why that failed, empty where it didn't."""
        with self._one_at_a_time:
            if _age(site_folder(self.settings.home) / "index.html") < _SECONDS_IT_STAYS:
                return ""
            try:
                return self._make()
            except OSError as error:
                return f"{error}; run `make setup`"

    def _make(self) -> str:
        command = LearningCommand(["home"], self.settings, lambda _: None)
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            command.stop()

        timer = threading.Timer(self.seconds_to_make_it, stop)
        timer.daemon = True
        timer.start()
        try:
            outcome = command.run()
        finally:
            timer.cancel()
        if is_late.is_set():
            return f"it took longer than {self.seconds_to_make_it:.0f} s, and was stopped (is a night registering?)"
        return clear_message(outcome.stderr or outcome.stdout) if outcome.return_code else ""


def with_notice(page: str, problem: str) -> str:
    """Return the page with a notice on top that it could not be made anew, and why."""
    told = f"<b>This page could not be made anew</b>, so it is as old as it says: {html.escape(problem)}"
    return page.replace("<main>", f'<main>\n<div class="banner problems" role="note"><p>{told}</p></div>', 1)


def _age(path: Path) -> float:
    """Return the seconds since the file was written; infinite where there is none."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
