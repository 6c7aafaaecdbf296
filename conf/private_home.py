"""The home is its owner's alone, and is known to take files before anything is computed."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from conf.errors import SettingError
from conf.settings import Settings

_PROBE_BYTES = 1 << 16
# Closed, they would lock every other user out of the machine.
_SYSTEM = frozenset(
    map(Path, ("/", "/etc", "/home", "/media", "/mnt", "/opt", "/srv", "/usr", "/usr/local", "/var", "/var/lib"))
)


def keep_private(settings: Settings) -> None:
    """Make what this process and its children write readable by its owner alone, and close an existing home.

    A closed top folder closes everything below it, so that an older home needs no walk through its files.

    Raises:
        SettingError: the home can't be made, or can't be closed.
    """
    os.umask(0o077)
    _make(settings.home, "NIGHTCART_HOME")
    now = settings.home.stat()
    # A folder with the sticky bit, such as /tmp, is everybody's, and so are the system's own: not ours to close.
    is_everybodys = now.st_mode & stat.S_ISVTX or settings.home in _SYSTEM
    if now.st_uid == os.geteuid() and not is_everybodys and stat.S_IMODE(now.st_mode) & 0o077:
        _close(settings.home)


def refuse_unwritable(settings: Settings) -> None:
    """Raise if the home or the lake can't take a small file.

    Raises:
        SettingError: one of them is read-only or full.
    """
    for name, folder in (("NIGHTCART_HOME", settings.home), ("NIGHTCART_LAKE", settings.lake)):
        _make(folder, name)
        try:
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(bytes(_PROBE_BYTES))
                probe.flush()
                os.fsync(probe.fileno())
        except OSError as error:
            raise _unwritable(folder, name, error) from error


def _close(home: Path) -> None:
    try:
        home.chmod(0o700)
    except OSError as error:
        raise SettingError(
            f"{home}: can't be closed to others ({error.strerror}), and it holds what is the shop's alone; close it "
            "where it is mounted, or name a folder elsewhere (NIGHTCART_HOME)"
        ) from error


def _make(folder: Path, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, name, error) from error


def _unwritable(folder: Path, name: str, error: OSError) -> SettingError:
    return SettingError(
        f"{folder}: can't be written to ({error.strerror}); make room or give access, or name another folder ({name})"
    )
