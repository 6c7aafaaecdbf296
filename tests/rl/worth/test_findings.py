"""Findings survive their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rl.worth.findings import WorthFindings
from tests.rl.worth.findings_factory import make_findings, make_untold


@pytest.mark.parametrize("findings", [make_findings(), make_untold()])
def test_findings_come_back_as_they_were_written(tmp_path: Path, findings: WorthFindings) -> None:
    """JSON keeps every field."""
    findings.write(tmp_path / "worth.json")
    assert WorthFindings.model_validate_json((tmp_path / "worth.json").read_text()) == findings
