"""Options of Spark's Java, which Spark splits at spaces unless they are quoted."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from conf.java_options import CLASS_ARCHIVE, archive_options, java_options, quoted


@pytest.mark.parametrize("content", [None, b""])
def test_without_an_archive_java_starts_as_ever(tmp_path: Path, content: bytes | None) -> None:
    """An empty one says that it couldn't be made."""
    if content is not None:
        (tmp_path / CLASS_ARCHIVE).write_bytes(content)
    assert archive_options(tmp_path / CLASS_ARCHIVE) == ""
    assert shlex.split(java_options(tmp_path))[0].startswith("-Dlog4j2.configurationFile=file:///")
    assert len(shlex.split(java_options(tmp_path))) == 1


@pytest.mark.parametrize("name", ["venv", "my venv", 'a "quoted" venv'])
def test_an_archive_is_named_as_one_word(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / CLASS_ARCHIVE).write_bytes(b"classes")
    words = shlex.split(java_options(tmp_path / name))
    assert words[1] == f"-XX:SharedArchiveFile={tmp_path / name / CLASS_ARCHIVE}"
    assert all(word.startswith("-Xlog:") for word in words[2:])


def test_an_option_is_one_word() -> None:
    assert shlex.split(quoted('-Da=b c"d')) == ['-Da=b c"d']
