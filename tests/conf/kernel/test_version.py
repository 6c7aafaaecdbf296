"""A kernel that computes something else is another version."""

from __future__ import annotations

import hashlib
import json

from conf.kernel.version import PRODUCT_VERSION, VERSION
from tests.conf.kernel import test_sku_days
from tests.conf.kernel.comparison import kernel_transitions, told_outcomes, told_quarantine, told_transitions
from tests.conf.kernel.made_logs import pipelines_of_events, random_log
from tests.conf.kernel.product_logs import many_product_logs, product_pipelines

DIGESTS = {1: "3fc2ed4afd650557ccc9fba004feafab", 2: "ae687fbb88d7c8a78127064f8d96a933"}
"""By version: of what the kernel makes of 40 random logs under 40 pipelines."""

PRODUCT_DIGESTS = {
    1: "1b4a12a68aa03e9b273537e9fa7474d4",
    2: "df88efebd760295748db40d668eb4337",
    3: "214cc4f1ed98fb5a000fc22879c9443f",
}
"""By version of products: of what the kernel makes of 40 logs of products under 40 pipelines."""


def digest() -> str:
    state = hashlib.sha256()
    for number, pipeline in enumerate(pipelines_of_events(40, seed=11)):
        log = random_log(pipeline, seed=number, n_logs=10)
        columns, made = kernel_transitions(log)
        told = [told_transitions(columns, made, pipeline), told_outcomes(columns, made)]
        state.update(json.dumps(told, sort_keys=True, default=str).encode())
    return state.hexdigest()[:32]


def product_digest() -> str:
    state = hashlib.sha256()
    for number, pipeline in enumerate(product_pipelines(40, seed=11)):
        columns, made = test_sku_days.kernel_transitions(many_product_logs([pipeline], number))
        told = [told_transitions(columns, made, pipeline), told_outcomes(columns, made), told_quarantine(columns, made)]
        state.update(json.dumps(told, sort_keys=True, default=str).encode())
    return state.hexdigest()[:32]


def test_what_the_kernel_makes_is_its_versions() -> None:
    """Raise VERSION and add its digest where the kernel is meant to compute something else.

    Where only the made logs or the shipped scenario changed, the digest of the present version changes.
    """
    assert list(DIGESTS) == list(range(1, VERSION + 1))
    assert digest() == DIGESTS[VERSION]


def test_what_the_kernel_makes_of_products_is_its_version_of_products() -> None:
    """The same of PRODUCT_VERSION, which leaves other scenarios' partitions current."""
    assert list(PRODUCT_DIGESTS) == list(range(1, PRODUCT_VERSION + 1))
    assert product_digest() == PRODUCT_DIGESTS[PRODUCT_VERSION]
