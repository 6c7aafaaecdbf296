"""Write systemd's units for this checkout and its home, whatever their folders are called: `make units`.

The files in `conf/deployment` hold the usual folders. Here each of these is put in its place as the directive it stands
in takes it: quoted in lists of words, as it is where the rest of the line is one path; `%` and `$` mean themselves.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from conf.errors import SettingError
from conf.settings import PROJECT_ROOT, Settings

TEMPLATES = PROJECT_ROOT / "conf" / "deployment"

_WORDS = ("ExecStart", "Environment", "ReadWritePaths")
_ONE_PATH = ("WorkingDirectory", "EnvironmentFile")
_PLAIN = re.compile(r"[\w@%+=:,./$-]+", re.ASCII)

# What systemd hides from a unit, and the directive that hides it.
_HIDDEN = {"ProtectHome": ("/home", "/root", "/run/user"), "PrivateTmp": ("/tmp", "/var/tmp")}


@dataclass(frozen=True)
class Folders:
    """Where a deployment lies: its checkout, where backups go, folders that are written to, and whose all of it is."""

    checkout: Path
    backups: Path
    written: tuple[Path, ...]
    user: str

    def misfits(self) -> list[str]:
        """Return what systemd or a list of Python's paths can't hold."""
        unfit = [path for path in (self.checkout, self.backups, *self.written) if _is_unfit(str(path))]
        return [f"{str(path)!r} holds a character that systemd's units or PYTHONPATH can't" for path in unfit]


def folders_of(settings: Settings, *, backups: Path, user: str) -> Folders:
    """Return the folders of this checkout and home; of one that is written to, its parent: restores rename it."""
    written = [settings.home.parent]
    artifacts = urlsplit(settings.given_artifacts or "")
    other = [settings.lake, *([Path(unquote(artifacts.path))] if artifacts.scheme == "file" else [])]
    for path in other:
        if not any(path.is_relative_to(one) for one in written):
            written.append(path.parent)
    return Folders(PROJECT_ROOT, backups, tuple(written), user)


def units(folders: Folders) -> dict[str, str]:
    """Return the units' text by file name.

    Raises:
        SettingError: a folder's name can't stand in a unit.
    """
    if problems := folders.misfits():
        raise SettingError("\n".join([*problems, "choose other folders"]))
    files = sorted([*TEMPLATES.glob("*.service"), *TEMPLATES.glob("*.timer")])
    return {path.name: _unit(path.read_text(encoding="utf-8"), folders) for path in files}


def _unit(text: str, folders: Folders) -> str:
    return "".join(f"{_line(line, folders)}\n" for line in text.splitlines())


def _line(line: str, folders: Folders) -> str:
    name, equals, value = line.partition("=")
    if not equals or line.startswith("#"):
        return line
    if name == "User":
        return f"User={folders.user}"
    if name in _HIDDEN:
        used = (folders.checkout, folders.backups, *folders.written)
        is_used = any(path.is_relative_to(hidden) for path in used for hidden in _HIDDEN[name])
        return f"{name}=false" if is_used else line
    usual = {"/opt/nightcart": [folders.checkout], "/var/backups/nightcart": [folders.backups]}
    if name in _ONE_PATH:
        return f"{name}={_placed(value, usual)[0].replace('%', '%%')}"
    if name in _WORDS:
        words = shlex.split(value.replace("%%", "%").replace("$$", "$"))
        usual |= {"/var/lib/nightcart": list(folders.written)} if name == "ReadWritePaths" else {}
        placed = dict.fromkeys(one for word in words for one in _placed(word, usual))
        return f"{name}={' '.join(_quoted(word, is_command=name == 'ExecStart') for word in placed)}"
    return line


def _placed(word: str, usual: Mapping[str, Sequence[Path]]) -> list[str]:
    """Return the word with each folder instead of the usual one; as it is where it names none."""
    for folder, places in usual.items():
        before, found, after = word.partition(folder)
        if found and before[-1:] in ("", "=") and after[:1] in ("", "/"):
            return [f"{before}{place}{after}" for place in places]
    return [word]


def _quoted(word: str, *, is_command: bool) -> str:
    """Return the word as systemd takes it for one; in a command a dollar would be looked up by systemd itself."""
    escaped = word.replace('"', '\\"').replace("%", "%%")
    escaped = escaped.replace("$", "$$") if is_command else escaped
    return escaped if _PLAIN.fullmatch(escaped) else f'"{escaped}"'


def _is_unfit(path: str) -> bool:
    return not path.isprintable() or any(one in path for one in "$\\:\"'") or path != path.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the units; the exit code is 1 after one clear message."""
    parser = argparse.ArgumentParser(prog="conf.systemd_units", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True, help="folder that the units are written to")
    parser.add_argument("--backups", type=Path, default=Path("/var/backups/nightcart"), help="where backups go")
    parser.add_argument("--user", default=getuser(), help="who runs them; default: this user")
    given = parser.parse_args(arguments)
    try:
        written = units(folders_of(Settings.from_environment(), backups=given.backups.absolute(), user=given.user))
        given.out.mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            (given.out / name).write_text(text, encoding="utf-8")
            print(given.out / name)
    except (SettingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
