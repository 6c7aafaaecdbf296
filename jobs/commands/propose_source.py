"""`make source`: a look at a shop's files becomes the draft of a source, in seconds and without Spark.

The draft is on stdout, or in the file that `--out` names. Exit codes: 0 there is one, 65 the files can't be read as a
log, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from conf.closed_output import end_with_the_reader
from conf.errors import NightcartError, exit_code
from conf.publication import write_atomically
from jobs.errors import DeliveryError
from jobs.proposal.proposal import propose


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code, after the draft has been written."""
    parser = argparse.ArgumentParser(prog="make source", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("files", nargs="+", type=Path, help="files, or folders of files")
    parser.add_argument("--name", help="what the source is to be called; default: as the first file or folder is")
    parser.add_argument("--out", type=Path, help="file to write, such as conf/sources/shop.yaml; default: stdout")
    given = parser.parse_args(arguments)
    try:
        if given.out is not None and given.out.exists():
            raise DeliveryError(f"{given.out}: there already; name another file with OUT, or remove it")
        name = given.name or (given.out.stem if given.out is not None else None)
        text = propose(given.files, name)
        if given.out is None:
            print(text, end="", flush=True)
        else:
            write_atomically(given.out, text)
            print(
                f"{given.out}: read it, mend it, then make check-source SOURCE={given.out.stem} LOGS=...",
                file=sys.stderr,
            )
    except NightcartError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return exit_code(error)
    return 0


if __name__ == "__main__":
    end_with_the_reader()
    sys.exit(main())
