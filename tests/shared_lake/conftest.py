"""A store for each test, and homes that share a lake through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.shared_lake.s3 import moto_python, s3_server


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Yield the variables of a new, empty store, which this process has, too."""
    if moto_python() is None:
        pytest.skip("needs an interpreter with moto (NIGHTCART_TEST_MOTO; `make test` makes one)")
    with s3_server() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield variables
