from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from conf.specs.candidate import Candidate


def make(algorithm: str = "discrete_cql", **encoder: Any) -> Candidate:
    return Candidate.model_validate({"algorithm": algorithm, "seeds": [1], "n_updates": 5, "encoder": encoder})


def test_dense_candidates_are_written_as_before() -> None:
    """No hash that was made of a candidate changes by there being other encoders."""
    plain = Candidate(algorithm="bc", seeds=(1,), n_updates=5)
    assert "encoder" not in plain.model_dump(mode="json")
    assert make("bc", kind="dense") == plain
    assert make("bc", kind="gru").model_dump(mode="json")["encoder"]["kind"] == "gru"


def test_written_candidates_are_read_again() -> None:
    for candidate in (make(kind="gru", depth=2), make(kind="transformer", n_heads=2, is_output_tied=True)):
        written = candidate.model_dump(mode="json", exclude_defaults=True)
        assert Candidate.model_validate(written) == candidate


@pytest.mark.parametrize(
    ("algorithm", "encoder", "words"),
    [
        ("bc", {"kind": "gru", "widht": 3}, "widht"),
        ("bc", {"kind": "lstm"}, "kind"),
        ("bc", {"kind": "dense", "width": 3}, "takes no width"),
        ("bc", {"kind": "gru", "n_heads": 2}, "takes no n_heads"),
        ("bc", {"kind": "transformer", "width": 10, "n_heads": 4}, "can't be divided"),
        ("bc", {"kind": "gru", "is_output_tied": True}, "can't tie"),
        ("discrete_cql", {"kind": "gru", "sampled_above": 10}, "needs is_output_tied"),
        ("nfq", {"kind": "gru", "is_output_tied": True, "sampled_above": 10}, "no conservative term"),
        ("discrete_bcq", {"kind": "gru"}, "dense networks alone"),
    ],
)
def test_what_does_not_fit_is_an_error(algorithm: str, encoder: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        make(algorithm, **encoder)
