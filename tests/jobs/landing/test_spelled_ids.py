"""Whether two places spell ids alike shows in the same few of them, whatever they are and however many."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from jobs.landing.spelled_ids import MOST, SpelledIds, SpelledNames, read, strangers_told, sum_of_spelled, written
from jobs.parsing.pseudonyms import pseudonyms

KEY = b"a key for tests only"


def _spelled(ids: Iterable[str]) -> SpelledIds:
    names = SpelledNames(pseudonyms(KEY), KEY)
    names.begin("a day")
    for one in ids:
        assert names(one) == pseudonyms(KEY)(one)
    return names.taken()


@pytest.mark.parametrize(
    ("listed", "shoppers", "expected"),
    [
        (["00017850", "2"], ["17850", "3"], "1 of 1 shoppers of this delivery whom it lists are spelled otherwise"),
        (["17850.0", "2"], ["17850", "2"], "1 of 2 shoppers of this delivery whom it lists are spelled otherwise"),
        (["ANN-7"], ["ann-7"], "such as AAA-9 against aaa-9"),
        (["17850", "2"], ["17850", "3"], None),
        (["017850", "17850"], ["17850"], None),
        (["1"], [], None),
        # A card, and receipts of branch, till and number: joined, they are no spelling of it.
        (["17850"], ["1|785|0", "178|5|0"], None),
        (["1|78|50"], ["17|8|50"], None),
        (["A|7"], ["a|7"], "such as A|9 against a|9"),
        (["--"], ["=="], None),
        (["X²"], ["x²"], "such as A9 against a9"),
    ],
)
def test_spellings_that_never_meet_are_told(listed: list[str], shoppers: list[str], expected: str | None) -> None:
    """Masked; a shopper who is listed under the own spelling as well is reached."""
    told = strangers_told("consent", _spelled(listed), _spelled(shoppers))
    assert told is None if expected is None else expected in (told or "")
    assert "17850" not in (told or "")


def test_of_many_ids_the_same_few_are_kept() -> None:
    """Of 30,000 listed and 5,000 shoppers, in parts and in any order: those kept of one are among the other's."""
    listed = [f"{n:08}" for n in range(30_000)]
    parts = [_spelled(listed[start::3]) for start in range(3)]
    of_table = sum_of_spelled(read(written(one)) for one in parts)
    assert len(of_table) == MOST
    assert of_table == sum_of_spelled([_spelled(reversed(listed))])
    told = strangers_told("consent", of_table, _spelled(str(n) for n in range(0, 30_000, 6)))
    n_apart, _, n_met = (told or "").removeprefix("consent: ").partition(" of ")
    # A fifteenth of those listed are kept, and so of the shoppers: 333, give or take five standard deviations.
    assert 240 < int(n_apart) < 430
    assert n_met.startswith(f"{n_apart} shoppers of this delivery that were compared whom")
    assert strangers_told("consent", of_table, _spelled(f"{n:08}" for n in range(0, 30_000, 6))) is None


def test_a_second_delivery_begins_anew() -> None:
    """What was kept of one day is not another day's; of one day nothing is told twice."""
    names = SpelledNames(pseudonyms(KEY), KEY)
    names.begin(1)
    names("07")
    assert len(names.taken()) == 1
    names.begin(1)
    names("07")
    assert not names.taken()
    names.begin(2)
    names("07")
    assert list(names.taken().values()) == ["09"]
