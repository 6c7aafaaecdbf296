"""Findings survive their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rl.errors import EvaluationError
from rl.worth.findings import read_findings
from tests.rl.worth.findings_factory import make_findings, make_untold


@pytest.mark.parametrize("findings", [make_findings(), make_untold()])
def test_findings_come_back_as_they_were_written(tmp_path: Path, findings: object) -> None:
    """JSON keeps every field."""
    findings.write(tmp_path / "worth.json")  # type: ignore[attr-defined]
    assert read_findings(tmp_path / "worth.json") == findings


def test_missing_findings_say_what_to_run(tmp_path: Path) -> None:
    """The message names the file and the command."""
    with pytest.raises(EvaluationError, match=r"worth.json: no such file; run worth first"):
        read_findings(tmp_path / "worth.json")


def test_findings_of_another_form_are_refused(tmp_path: Path) -> None:
    """A file that isn't findings is named."""
    (tmp_path / "worth.json").write_text("{}")
    with pytest.raises(EvaluationError, match="not findings of this version"):
        read_findings(tmp_path / "worth.json")
