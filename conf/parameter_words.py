"""A parameter of `make` that is a list of words, cut as a shell would cut it and with nothing in it run.

`python -m conf.parameter_words NAME` prints the words of the environment variable NAME, quoted for a shell.
"""

from __future__ import annotations

import os
import shlex
import sys

from conf.errors import SettingError


def quoted_words(name: str, value: str) -> str:
    """Return the words of the value, each quoted so that a shell takes it as it stands.

    Raises:
        SettingError: a quote is left open.
    """
    try:
        return shlex.join(shlex.split(value))
    except ValueError as error:
        message = str(error).lower()
        raise SettingError(f"{name}: can't be cut into words ({message}); got {value!r}, close the quote") from error


def main(name: str) -> int:
    """Print the words; the exit code is 1 after one clear message."""
    try:
        print(quoted_words(name, os.environ.get(name, "")))
    except SettingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
