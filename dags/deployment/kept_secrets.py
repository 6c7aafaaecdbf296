"""Secrets that a home keeps: made once, readable by the owner alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path


def made_once(path: Path, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Return the secrets a file keeps; make them, readable by the owner alone, where there is no file yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(make()), encoding="ascii")
        try:
            os.link(draft, path)  # fails where another process was first: its secrets are the secrets
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    kept: dict[str, str] = json.loads(path.read_text(encoding="ascii"))
    return kept
