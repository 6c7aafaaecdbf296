"""The home is its owner's alone, and known to take files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.errors import SettingError
from conf.private_home import keep_private, refuse_unwritable
from conf.settings import Settings


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def settings_of(home: Path, **more: str) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(home), **more})


def test_an_open_home_is_closed_and_new_files_are_private(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, whatever the umask was."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    keep_private(settings_of(home))
    (home / "folder").mkdir()
    (home / "file").write_text("raw")
    assert [path.stat().st_mode & 0o777 for path in (home, home / "folder", home / "file")] == [0o700, 0o700, 0o600]


def test_a_folder_for_everybody_is_not_closed(tmp_path: Path) -> None:
    """A home that is /tmp itself would lock everybody else out."""
    tmp_path.chmod(0o1777)
    keep_private(settings_of(tmp_path))
    assert tmp_path.stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize("home", ["/", "/opt"])
def test_a_folder_of_the_system_is_not_closed(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root whose home it is would lock every other user out of the machine."""
    monkeypatch.setattr(os, "geteuid", lambda: Path(home).stat().st_uid)
    monkeypatch.setattr(Path, "chmod", lambda *_: pytest.fail("closed"))
    keep_private(settings_of(Path(home)))


def test_a_home_that_cannot_be_closed_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some mounts know no owners; the message says what to do."""
    tmp_path.chmod(0o755)

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(self))

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(SettingError, match=r"can't be closed to others \(Operation not permitted\).*NIGHTCART_HOME"):
        keep_private(settings_of(tmp_path))


@pytest.mark.parametrize("name", ["NIGHTCART_HOME", "NIGHTCART_LAKE"])
def test_a_folder_that_takes_no_files_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """/proc takes none, whoever asks; the message names folder and setting."""
    settings = settings_of(tmp_path, **{name: "/proc/nightcart"})
    with pytest.raises(SettingError, match=rf"/proc/nightcart: can't be written to .*{name}") as caught:
        refuse_unwritable(settings)
    assert "\n" not in str(caught.value)


def test_a_writable_home_keeps_no_trace_of_the_probe(tmp_path: Path) -> None:
    """Nothing is left in the home or the lake."""
    refuse_unwritable(settings_of(tmp_path))
    assert [path.name for path in tmp_path.rglob("*")] == ["lake"]


@pytest.mark.parametrize("name", ["a%41b", "a?b", "a*b", "a[b]", "a{b}", "a\\b", "a\nb"])
@pytest.mark.parametrize("variable", ["NIGHTCART_HOME", "NIGHTCART_LAKE"])
def test_paths_that_databases_or_spark_read_otherwise_are_refused(tmp_path: Path, name: str, variable: str) -> None:
    """One line, before anything is written."""
    with pytest.raises(SettingError, match=f"{variable}: .* choose a folder without") as caught:
        Settings.from_environment({variable: str(tmp_path / name)})
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["sp ace", "a#b", "a'b\"c", "ünï", "a,b;c=d&e+f$g~h"])
def test_other_characters_are_taken(tmp_path: Path, name: str) -> None:
    """Spaces, quotes, hashes and letters of any language are fine."""
    assert settings_of(tmp_path / name).home == tmp_path / name
