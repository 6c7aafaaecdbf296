"""The jobs' commands one after another in one Spark session, for whoever runs many of them.

A line of stdin is a JSON list of the arguments that `jobs/main.py` takes; its answer is one line of JSON on stdout,
`{"result": ...}` or `{"error": ..., "code": ...}`. The process ends with its stdin.
"""

from __future__ import annotations

import json
import os
import sys

from conf.errors import MAY_PASS, NightcartError, exit_code
from conf.plain_json import to_json
from conf.settings import Settings
from jobs.failure_reason import SPARK_FAILURES, failure_reason
from jobs.log_lines import configure_logs
from jobs.main import command_parser, run_command
from jobs.spark.session import start_spark


def main() -> int:
    """Answer every line of stdin; return 0."""
    # Answers have stdout to themselves: whatever else is written there goes to stderr.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    settings = Settings.from_environment()
    configure_logs(settings)
    spark = start_spark(settings, "nightcart")
    try:
        for line in sys.stdin:
            answers.write(_answer(line, settings) + "\n")
            answers.flush()
    finally:
        spark.stop()
    return 0


def _answer(line: str, settings: Settings) -> str:
    """Return what became of one command; the session stays."""
    try:
        given = command_parser().parse_args(json.loads(line))
        return to_json({"result": run_command(given, settings, keeps_session=True)})
    except SystemExit:
        return to_json({"error": f"wrong arguments: {line.strip()}", "code": 2})
    except NightcartError as error:
        return to_json({"error": str(error), "code": exit_code(error)})
    except SPARK_FAILURES as error:
        return to_json({"error": f"Spark failed: {failure_reason(error)}", "code": MAY_PASS})
    except Exception as error:
        return to_json({"error": f"unexpected {type(error).__name__}: {failure_reason(error)}", "code": MAY_PASS})


if __name__ == "__main__":
    sys.exit(main())
