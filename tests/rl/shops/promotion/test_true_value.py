"""The truth of the usual shop: sending always and never are both wrong, and policies are compared on equal days."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rl.errors import ShopError
from rl.shops.promotion.fixed_policies import everybody_policy, fixed_policies, nobody_policy, rfm_policy
from rl.shops.promotion.lockstep_weeks import Probabilities
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.true_value import PolicyTruth, true_list_value, true_policy_value, true_policy_values
from rl.shops.settings_file import changed_settings

SETTINGS = PromotionSettings()
RULE = rfm_policy(SETTINGS)


def truth(policy: Probabilities, settings: PromotionSettings = SETTINGS, **changes: object) -> PolicyTruth:
    usual = {"lead_weeks": 8, "n_weeks": 18, "n_shoppers": 3000}
    return true_policy_value(settings, policy, **usual | changes)


@pytest.fixture(scope="module")
def truths() -> dict[str, PolicyTruth]:
    return {name: truth(policy) for name, policy in fixed_policies(SETTINGS).items()}


def test_truth_does_not_depend_on_batches_or_the_logs_seed() -> None:
    """Played in one batch or in many, for a log of any seed, the sums are the same to the last bit."""
    whole = truth(RULE, n_shoppers=500)
    parts = truth(RULE, changed_settings(SETTINGS, seed=77), n_shoppers=500, batch_shoppers=123)
    for name in PolicyTruth.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name), err_msg=name)
    assert truth(RULE, n_shoppers=500, seed=1).mean("profit") != whole.mean("profit")


def test_policies_played_together_are_worth_what_they_are_alone() -> None:
    """Each goes on from the past that all share, and leaves no trace in the others."""
    players = {"rule": RULE, "nobody": nobody_policy(), "again": RULE}
    together = true_policy_values(
        SETTINGS,
        {name: lambda weeks, policy=policy: weeks.play(policy) for name, policy in players.items()},
        lead_weeks=8,
        n_weeks=6,
        n_shoppers=400,
        batch_shoppers=150,
    )
    for name, policy in players.items():
        alone = truth(policy, n_weeks=6, n_shoppers=400)
        for field in PolicyTruth.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(together[name], field), getattr(alone, field), err_msg=field)


def test_sending_always_and_never_are_both_wrong(truths: dict[str, PolicyTruth]) -> None:
    """A plain rule of recency earns more than nobody, and than any offer to everybody, by four standard errors."""
    for name in ("nobody", "random", *[f"everybody_{offer.key}" for offer in SETTINGS.offers]):
        gain = truths["rfm"].above(truths[name])
        assert gain.value > 4 * gain.standard_error if name != "everybody_reminder" else gain.value > 0, name
    worst = truths["nobody"].above(truths["everybody_letter_10"])
    assert worst.value > 4 * worst.standard_error


def test_offers_are_wasted_on_sure_things_and_drive_some_away(truths: dict[str, PolicyTruth]) -> None:
    """Nobody's truth spends and loses nothing; everybody's pays for purchases that come anyway, and loses some."""
    for measure in ("committed", "redeemed", "spent_on_sure_things", "spent_on_driven_away", "lost_purchases"):
        assert truths["nobody"].mean(measure).value == 0
    voucher = truths["everybody_voucher_5"]
    assert voucher.mean("spent_on_sure_things").value > 0.4 * voucher.mean("redeemed").value
    assert 0 < voucher.mean("spent_on_driven_away").value < 0.3 * voucher.mean("redeemed").value
    assert voucher.mean("lost_purchases").value > 4 * voucher.mean("lost_purchases").standard_error
    dogs = [kind.name for kind in SETTINGS.kinds].index("sleeping_dog")
    assert truths["nobody"].mean("profit", kind=dogs).value > 1.2 * voucher.mean("profit", kind=dogs).value


def test_money_of_a_truth_adds_up(truths: dict[str, PolicyTruth]) -> None:
    """Redeemed stays below committed; profit is margin less contacts; a price takes its share of what was committed."""
    for found in truths.values():
        assert (found.redeemed <= found.committed + 1e-9).all()
        assert (found.margin - found.profit <= found.redeemed + 1e-9).all()
        expected = found.mean("profit").value - 0.3 * found.mean("committed").value
        assert found.lagrangian(0.3).value == pytest.approx(expected)


def test_common_random_numbers_sharpen_comparisons(truths: dict[str, PolicyTruth]) -> None:
    """The paired difference of two alike policies is known far better than from two samples, and agrees with them."""
    gain = truths["rfm"].above(truths["nobody"])
    one, other = truths["rfm"].mean("profit"), truths["nobody"].mean("profit")
    assert gain.value == pytest.approx(one.value - other.value)
    assert gain.standard_error < 0.6 * np.hypot(one.standard_error, other.standard_error)


def test_standard_errors_are_those_of_repetitions() -> None:
    """Over 30 truths of other shoppers, values scatter as their standard errors say (a chi-square's 99.9% range)."""
    found = [truth(RULE, n_shoppers=300, seed=seed, n_weeks=6).mean("profit") for seed in range(30)]
    ratio = np.var([one.value for one in found], ddof=1) / np.mean([one.standard_error**2 for one in found])
    assert 0.42 < ratio < 2.0


def test_standard_errors_are_the_jackknifes() -> None:
    """Of a ratio over shoppers with different numbers of weeks, the error is what leaving each out in turn gives."""
    found = truth(RULE, n_shoppers=900, lead_weeks=0, n_weeks=26)
    assert len(np.unique(found.weeks)) > 5
    for measure in ("profit", "committed"):
        values = getattr(found, measure)
        without = (values.sum() - values) / (found.weeks.sum() - found.weeks)
        jackknife = np.sqrt((1 - 1 / len(without)) * ((without - without.mean()) ** 2).sum())
        assert found.mean(measure).standard_error == pytest.approx(jackknife, rel=0.01)


def test_discount_weighs_early_weeks(truths: dict[str, PolicyTruth]) -> None:
    """With a factor near 0 the first judged week alone counts."""
    behavior = logging_policy(SETTINGS)
    first = truth(behavior, n_weeks=1).mean("profit").value
    assert truth(behavior, n_weeks=5, gamma=1e-9).mean("profit").value == pytest.approx(first, rel=1e-6)


def test_what_can_not_be_judged_is_refused(truths: dict[str, PolicyTruth]) -> None:
    """Weeks beyond the shop's, and pairs that aren't pairs, end in an error."""
    with pytest.raises(ShopError, match="26 together"):
        truth(RULE, lead_weeks=20, n_weeks=7)
    with pytest.raises(ShopError, match="same shoppers"):
        truths["rfm"].above(truth(nobody_policy(), n_shoppers=200))
    with pytest.raises(ShopError, match="nobody is among"):
        truths["rfm"].mean("profit", kind=99)
    with pytest.raises(ShopError, match="shape"):
        truth(lambda _, mask: everybody_policy(1)(_, mask)[:, :2], n_shoppers=50)


def voucher_list(n_vouchers: int):
    """A list that sends vouchers to the first so many shoppers who may get one."""

    def drawn(_: object, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = mask[:, 3] & (np.cumsum(mask[:, 3]) <= n_vouchers)
        action = np.where(chosen, 3, 0)
        return action, np.eye(5)[action]

    return drawn


def test_lists_keep_what_they_committed() -> None:
    """A list of exactly forty vouchers a week commits forty times 5.0425, and its truth is spent by shopper."""
    found, committed = true_list_value(SETTINGS, voucher_list(40), lead_weeks=2, n_weeks=5, n_shoppers=300)
    np.testing.assert_array_equal(committed, 40 * 5_042_500)
    assert found.committed.sum() == pytest.approx(5 * 40 * 5.0425)


def test_list_that_decides_each_shopper_alone_is_the_policy() -> None:
    """A list to everybody is worth what the policy to everybody is, on the same shoppers and days."""
    found, _ = true_list_value(SETTINGS, voucher_list(10**6), lead_weeks=8, n_weeks=4, n_shoppers=300)
    expected = truth(everybody_policy(3), n_weeks=4, n_shoppers=300)
    for name in PolicyTruth.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_lists_that_send_what_is_not_allowed_are_refused() -> None:
    """Offers beyond the mask, of no shop, or for other shoppers than are there, end in an error."""

    def bad(action_of: Callable[[np.ndarray], np.ndarray]):
        def drawn(_: object, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return action_of(mask), mask / mask.sum(axis=1, keepdims=True)

        return drawn

    for action_of, reason in (
        (lambda mask: np.full(len(mask), 3), "may not get"),
        (lambda mask: np.full(len(mask), 7), "may not get"),
        (lambda _: np.zeros(3, dtype=np.int64), "expected one for each"),
    ):
        with pytest.raises(ShopError, match=reason):
            true_list_value(SETTINGS, bad(action_of), lead_weeks=8, n_weeks=4, n_shoppers=300)
