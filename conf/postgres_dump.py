"""A PostgreSQL database dumped and restored by PostgreSQL's own programs, each in one transaction."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.engine import make_url

from conf.database_address import without_password
from conf.errors import DatabaseCopyError

_ASIDE = "before_restore_"
_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


def holds_tables(address: str) -> bool:
    """Return whether there is any table in the database's schema `public`.

    Raises:
        DatabaseCopyError: the database can't be asked.
    """
    return _run(["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", _TABLES], address).strip() != "0"


def dump_postgres(address: str, out: Path) -> None:
    """Dump the database as it stands at one moment; the dump appears whole, and readable by its owner alone.

    What earlier restores set aside isn't in it.

    Raises:
        DatabaseCopyError: it can't be reached or read, or PostgreSQL's programs are missing or older than the server.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    try:
        options = ["--format=custom", "--no-owner", "--no-privileges", f"--exclude-schema={_ASIDE}*"]
        _run(["pg_dump", *options, f"--file={draft}"], address)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def restore_postgres(dump: Path, address: str, *, set_aside: bool) -> str | None:
    """Make the database what the dump holds, in one transaction.

    Args:
        dump: as `dump_postgres` writes it.
        address: of the database.
        set_aside: rename a schema `public` that holds tables; without, that is an error.

    Returns:
        The name of the schema that keeps what was there before; None where nothing was.

    Raises:
        DatabaseCopyError: the database holds tables, can't be reached, or refuses the dump; it is left as it was.
    """
    has_tables = holds_tables(address)
    if has_tables and not set_aside:
        raise DatabaseCopyError(
            f"{without_password(address)}: holds tables, expected an empty database; name another, or set what is "
            "there aside with FORCE=1"
        )
    aside = f"{_ASIDE}{datetime.now().astimezone():%Y%m%d_%H%M%S}"
    first = [f"--command=ALTER SCHEMA public RENAME TO {aside}", "--command=CREATE SCHEMA public"] if has_tables else []
    options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", *first]
    with TemporaryDirectory(prefix="nightcart-restore-") as folder:
        script = f"--file={folder}/script.sql"
        _run(["pg_restore", "--no-owner", "--no-privileges", script, str(dump)], None)
        _run(["psql", *options, script], address)
    return aside if has_tables else None


def _run(command: Sequence[str], address: str | None) -> str:
    """Return what the program says; it gets the address, and in a variable the password, which others could see."""
    environment = dict(os.environ)
    arguments = list(command)
    if address is not None:
        url = make_url(address)
        environment |= {"PGPASSWORD": str(url.password)} if url.password else {}
        shown = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
        arguments.append(f"--dbname={shown}")
    try:
        ended = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError as error:
        raise DatabaseCopyError(
            f"{command[0]} isn't installed; install PostgreSQL's client programs (Debian: postgresql-client), of the "
            "server's version or a later one"
        ) from error
    if ended.returncode:
        where = "" if address is None else f"{without_password(address)}: "
        said = next((line for line in ended.stderr.splitlines() if line.strip()), f"code {ended.returncode}")
        raise DatabaseCopyError(f"{where}{command[0]} failed: {said.strip()}")
    return ended.stdout
