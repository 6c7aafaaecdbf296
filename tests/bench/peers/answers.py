"""The peer's side of `peer_process`: reads JSON lines, answers with JSON lines, and lets nothing else onto stdout."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any


def serve(versions_of: Sequence[str], prepare: Callable[[], Callable[..., Any]]) -> None:
    """Answers each line by the function that `prepare` returns, until stdin ends.

    Args:
        versions_of: distributions to name the versions of.
        prepare: imports the library and loads the inputs, before anything is timed.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries print notices when imported
    answer = prepare()
    print(json.dumps({"versions": {name: importlib.metadata.version(name) for name in versions_of}}), file=answers)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=answers)
