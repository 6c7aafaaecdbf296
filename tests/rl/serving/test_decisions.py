"""Requests become decisions and lines of the canonical log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pytest

from conf.observation_features import id_hash
from conf.specs.scenario import Pipeline, load_pipeline
from rl.errors import StoreError
from rl.policy.action_rules import ActionRules, Cap, Eligibility, Pin
from rl.rollout.assignment import gets_new_version, is_control
from rl.serving.decide import FALLBACK_VERSION, drawn
from rl.serving.decisions import DecisionMaker, DecisionRequest, PolicyInUse, SharedOut
from rl.serving.histories import Histories, History
from rl.serving.observation import Moment, SeenEvent
from tests.rl.policy.policies import make_policy
from tests.rl.serving.published_histories import day_of

KEY = b"a key for tests only"
TODAY = date(2026, 3, 30)
NOON_US = (day_of(TODAY) * 24 + 10) * 3_600_000_000  # noon in Berlin
POLICY = make_policy("a", "b", "c", has_other=True)
HISTORY = History(np.array([[day_of(TODAY) - 1, day_of(TODAY), 7, 2, 1, 3]], dtype=np.int64))


class FixedStore:
    """Holds one history of each known shopper, or fails."""

    def __init__(self, known: Sequence[str] = (), as_of: date | None = TODAY, *, is_down: bool = False) -> None:
        self.known, self.as_of, self.is_down = known, as_of, is_down
        self.asked: list[str] = []

    def read(self, shoppers: Sequence[str]) -> Histories:
        self.asked += shoppers
        if self.is_down:
            raise StoreError("down")
        rows = [HISTORY if shopper in self.known else None for shopper in shoppers]
        return Histories(None if self.as_of is None else day_of(self.as_of), rows)


def a_pipeline(holdout: float = 0.0) -> Pipeline:
    pipeline = load_pipeline("recommendation", "simulated_shop")
    exploration = pipeline.scenario.exploration.model_copy(update={"control_holdout": holdout})
    scenario = pipeline.scenario.model_copy(update={"exploration": exploration})
    return pipeline.model_copy(update={"scenario": scenario})


def maker(**given: Any) -> DecisionMaker:
    made = DecisionMaker(
        given.get("pipeline", a_pipeline()),
        key=KEY,
        store=given.get("store", FixedStore()),
        rules=given.get("rules", ActionRules()),
        max_age_days=2,
        generator=np.random.default_rng(given.get("seed", 0)),
    )
    made.served = given.get("served", PolicyInUse.of(POLICY, 3))
    made.know_items({"a": "letters"}, None)
    return made


def asked(shopper: str = "ann", **given: Any) -> DecisionRequest:
    content: dict[str, Any] = {"shopper": shopper, "time_us": NOON_US, "events": (), "actions": ("a", "b", "c")}
    return DecisionRequest(**(content | given))


def actions(made: DecisionMaker, **given: Any) -> list[str]:
    (decided,) = made.decide([asked(**given)])
    return [choice.action for choice in decided.choices]


def probabilities(shown: Sequence[str], mask: Mapping[str, bool]) -> dict[str, float]:
    """The policy's, at the observation of a session that has shown so many items, latest last."""
    recent = np.zeros((1, 5), dtype=np.int64)
    recent[0, : len(shown)] = [id_hash(item) for item in reversed(shown)]
    features = POLICY.encode({"session_step": np.array([len(shown)]), "recent_shown_items": recent})
    allowed = np.array([[mask.get(name, False) for name in POLICY.vocabulary.names]])
    return dict(zip(POLICY.vocabulary.names, POLICY.probabilities(features, allowed)[0].tolist(), strict=True))


def test_a_decision_is_that_of_the_policy_at_what_the_session_showed() -> None:
    """Its propensity is what the policy gives the observation and the offer, and the line says the same."""
    shown = [SeenEvent("impression", NOON_US - 9_000_000 + n, f"e{n}", item, None, item) for n, item in enumerate("ca")]
    made = maker()
    (decided,) = made.decide([asked(events=shown, actions=("b", "a", "new"), availability_id="set-1")])
    (choice,) = decided.choices
    assert choice.propensity == pytest.approx(probabilities("ca", {"a": True, "b": True})[choice.action], abs=1e-15)
    (line,) = made.lines(decided)
    assert json.loads(line) == {
        "event_id": decided.decision_id(0),
        "event_time": "2026-03-30T10:00:00.000000Z",
        "event_type": "impression",
        "user_id": "ann",
        "item_id": choice.action,
        "category_id": "letters" if choice.action == "a" else None,
        "decision_id": decided.decision_id(0),
        "slate_id": decided.slate_id,
        "position": 0,
        "action": choice.action,
        "propensity": choice.propensity,
        "policy_version": POLICY.version,
        "availability_id": "set-1",
        "group": choice.group,
    }
    assert decided.day == TODAY


def test_positions_of_a_slate_are_decisions_one_after_another() -> None:
    """Each sees the earlier ones and doesn't repeat them; ids ascend; it ends where nothing is left."""
    (decided,) = maker(seed=3).decide([asked(n_positions=5)])
    shown = [choice.action for choice in decided.choices]
    assert sorted(shown) == ["a", "b", "c"]
    for position, choice in enumerate(decided.choices):
        left = {key: key not in shown[:position] for key in "abc"}
        assert choice.propensity == pytest.approx(probabilities(shown[:position], left)[choice.action], abs=1e-15)
    ids = [decided.decision_id(position) for position in range(12)]
    assert ids == sorted(ids)


def test_requests_of_a_batch_do_not_see_each_other() -> None:
    """Among others a request is observed as alone; some ask for more positions than others."""
    requests = [asked(f"shopper-{n}", n_positions=1 + n % 3, actions=("a", "b", "c")[: 1 + n % 3]) for n in range(9)]
    decided = maker().decide(requests)
    assert [len(one.choices) for one in decided] == [1, 2, 3] * 3
    assert len({one.slate_id for one in decided}) == 9


@pytest.mark.parametrize(
    ("store", "state", "age"),
    [
        (FixedStore(["ann"]), "known", 0),
        (FixedStore(["bob"]), "unknown", 0),
        (FixedStore(["ann"], date(2026, 3, 27)), "stale", 3),
        (FixedStore(as_of=None), "unavailable", None),
        (FixedStore(["ann"], is_down=True), "unavailable", None),
    ],
)
def test_the_answer_says_what_was_known_of_the_shopper(store: FixedStore, state: str, age: int | None) -> None:
    """Only a known and fresh history counts: it lets through what buyers alone may get."""
    rules = ActionRules(eligibility=(Eligibility(frozenset("abc"), "n_past_purchases", at_least=1),))
    (decided,) = maker(store=store, rules=rules).decide([asked()])
    assert (decided.history.state, decided.history.age_days) == (state, age)
    assert bool(decided.choices) == (state == "known")


def test_who_opted_out_gets_the_fallback_and_is_not_looked_up() -> None:
    """Neither the store nor the session is asked, and no policy."""
    store = FixedStore(["ann"])
    (decided,) = maker(store=store).decide([asked(is_opted_out=True)])
    assert (decided.history.state, decided.choices[0].group) == ("opted_out", "fallback")
    assert store.asked == []


def test_shoppers_held_out_keep_the_shops_own_decisions() -> None:
    """Nothing is decided and nothing is logged for them; the others are served."""
    shoppers = [f"{n:032x}" for n in range(200)]
    made = maker(pipeline=a_pipeline(0.3))
    decided = made.decide([asked(shopper) for shopper in shoppers])
    held = [one.is_control for one in decided]
    assert held == [is_control(shopper, KEY, scenario="recommendation", share=0.3) for shopper in shoppers]
    assert 30 < sum(held) < 90
    assert all(bool(made.lines(one)) != one.is_control for one in decided)


def test_without_a_policy_the_fallback_alone_is_served() -> None:
    """Also for actions that no policy knows; its propensity is logged."""
    (decided,) = maker(served=None).decide([asked(actions=("x", "y"))])
    assert (decided.choices[0].policy_version, decided.choices[0].propensity) == (FALLBACK_VERSION, 0.5)


def test_a_policy_that_knows_nothing_of_the_offer_gives_way_to_the_fallback() -> None:
    (decided,) = maker().decide([asked(actions=("x", "y", "z"))])
    assert (decided.choices[0].group, decided.choices[0].propensity) == ("fallback", pytest.approx(1 / 3, abs=1e-15))


def test_what_the_policy_does_not_know_is_told_and_never_its_choice() -> None:
    """A new item, or a misspelt one; the fallback alone, where nobody was asked, knows no unknown ones."""
    for seed in range(40):
        (decided,) = maker(seed=seed).decide([asked(actions=("a", "x", "b", "y"))])
        assert decided.unknown == ("x", "y")
        assert decided.choices[0].action in ("a", "b")
    (decided,) = maker(served=None).decide([asked(actions=("a", "x"))])
    assert decided.unknown == ()


@pytest.mark.parametrize("served", [None, PolicyInUse.of(POLICY, 3)])
def test_rules_hold_for_policy_and_fallback(served: PolicyInUse | None) -> None:
    """A blocked item is never served, a pinned one always, at its position alone."""
    rules = ActionRules(blocked=frozenset("a"), pins=(Pin("c", frozenset({1})),))
    for seed in range(40):
        found = actions(maker(rules=rules, served=served, seed=seed), actions=("a", "b", "c", "d"), n_positions=2)
        assert "a" not in found
        assert found[1:] == ["c"] or found[0] == "c"


def test_a_cap_counts_what_a_shopper_got_on_the_day() -> None:
    """Another shopper, the next day and decisions that were never answered don't count; those of an earlier run do."""
    made = maker(rules=ActionRules(caps=(Cap(frozenset("ab"), 2),)))
    only_ab = {"actions": ("a", "b")}
    assert len(actions(made, **only_ab)) == 1
    unanswered = made.decide([asked(**only_ab)])
    assert actions(made, **only_ab) == []
    made.forget(unanswered)
    assert len(actions(made, **only_ab)) == 1
    assert actions(made, **only_ab) == []
    assert len(actions(made, shopper="bob", **only_ab)) == 1
    assert len(actions(made, time_us=NOON_US + 24 * 3_600_000_000, **only_ab)) == 1
    again = maker(rules=ActionRules(caps=(Cap(frozenset("ab"), 2),)))
    again.count_event(TODAY, "ann", ["a", "b"])
    assert actions(again, **only_ab) == []
    again.forget_days_before(date(2026, 3, 31))
    assert len(actions(again, **only_ab)) == 1


def test_a_cap_holds_among_requests_that_are_decided_together() -> None:
    """Of three of one shopper at one moment the third gets none; another shopper's are counted apart."""
    made = maker(rules=ActionRules(caps=(Cap(frozenset("ab"), 2),)))
    together = [asked(shopper, actions=("a", "b")) for shopper in ("ann", "bob", "ann", "ann")]
    assert [len(one.choices) for one in made.decide(together)] == [1, 1, 1, 0]


def test_decisions_that_fail_midway_count_towards_no_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are never answered."""
    made = maker(rules=ActionRules(caps=(Cap(frozenset("ab"), 1),)))
    only_ab = {"actions": ("a", "b")}
    with monkeypatch.context() as broken:
        is_second = iter((False, True))

        def fail_second(*given: Any) -> Any:
            if next(is_second):
                raise RuntimeError("the second")
            return drawn(*given)

        broken.setattr("rl.serving.decisions.drawn", fail_second)
        with pytest.raises(RuntimeError, match="second"):
            made.decide([asked("ann", **only_ab), asked("bob", **only_ab)])
    assert [len(one.choices) for one in made.decide([asked("ann", **only_ab), asked("bob", **only_ab)])] == [1, 1]


def test_requests_together_get_the_probabilities_that_each_gets_alone() -> None:
    """Of other offers, events and sizes; one who opted out and one of whom the policy knows nothing are among them."""
    click = SeenEvent("click", NOON_US - 5_000_000, "", "b", None, None, 9_000_000)
    given = [
        asked("ann"),
        asked("bob", actions=("c", "b"), n_positions=2),
        asked("eve", is_opted_out=True),
        asked("dan", actions=("x", "y")),
        asked("kim", events=(click,)),
    ]
    alone = [
        {one.choices[0].action: one.choices[0].propensity for n in range(60) for one in maker(seed=n).decide([request])}
        for request in given
    ]
    assert [len(told) for told in alone] == [3, 2, 3, 2, 3]
    for seed in range(20):
        together = maker(seed=seed).decide(given)
        assert [len(one.choices) for one in together] == [1, 2, 1, 1, 1]
        assert [one.unknown for one in together] == [(), (), (), ("x", "y"), ()]
        for one, told in zip(together, alone, strict=True):
            assert one.choices[0].propensity == pytest.approx(told[one.choices[0].action], rel=1e-6)


def test_a_business_day_is_that_of_the_source() -> None:
    """Half past eleven in the evening in UTC is the next day in Berlin."""
    (decided,) = maker().decide([asked(time_us=NOON_US + 13 * 3_600_000_000 + 1_800_000_000)])
    assert decided.day == date(2026, 3, 31)


def test_caps_and_pins_of_the_model_hold_beside_those_of_the_service() -> None:
    """Of two pins at one position the service's; what was counted before the model came still counts."""
    carried = ActionRules(
        pins=(Pin("b", frozenset({0, 1})),), caps=(Cap(frozenset("c"), 1),), blocked=frozenset("nothing")
    )
    made = maker(rules=ActionRules(pins=(Pin("c", frozenset({0})),), caps=(Cap(frozenset("c"), 2),)))
    assert actions(made, n_positions=2)[0] == "c"
    made.count_event(TODAY, "ann", ["c"], caps=carried.caps)  # as the service does with today's log
    made.served = PolicyInUse.of(POLICY.with_rules(carried), 4)
    assert actions(made, n_positions=2) == ["b", "a"]
    assert actions(made, shopper="bob", n_positions=2) == ["c", "b"]


def moments_seen_by(made: DecisionMaker, monkeypatch: pytest.MonkeyPatch) -> list[Moment]:
    """What observations are made of from now on."""
    seen: list[Moment] = []
    observe = made._maker.observe

    def looked_at(moments: Sequence[Moment]) -> dict[str, Any]:
        seen.extend(moments)
        return observe(moments)

    monkeypatch.setattr(made._maker, "observe", looked_at)
    return seen


def test_a_shopper_who_opted_out_leaves_no_trace_of_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks the store, nothing the shopper did is seen, and no line tells two requests to be one shopper's."""
    store = FixedStore(["ann"])
    made = maker(store=store)
    events = [SeenEvent("click", NOON_US - 1_000_000, "the click", "a", None, None)]
    seen = moments_seen_by(made, monkeypatch)
    decided = made.decide([asked(shopper=f"made-up-{n}", events=events, is_opted_out=True) for n in range(2)])
    assert store.asked == []
    assert [(list(moment.events), len(moment.history.rows)) for moment in seen] == [([], 0), ([], 0)]
    lines = [json.loads(line) for one in decided for line in made.lines(one)]
    assert [one["group"] for one in lines] == ["fallback", "fallback"]
    assert len({one["user_id"] for one in lines}) == 2
    assert not any("the click" in line or '"click"' in line for one in decided for line in made.lines(one))


def test_a_control_policy_decides_for_the_shoppers_held_out() -> None:
    """Under its own version and with its own propensities, in a group of its own; the others get the champion."""
    before = make_policy("a", "b", "c", has_other=True, seed=9)
    shoppers = [f"{n:032x}" for n in range(200)]
    made = maker(pipeline=a_pipeline(0.3))
    made.control = PolicyInUse.of(before, 2)
    decided = made.decide([asked(shopper) for shopper in shoppers])
    assert not any(one.uses_own for one in decided)
    for one in decided:
        (choice,) = one.choices
        policy = before if one.is_control else POLICY
        assert choice.policy_version == policy.version
        assert (choice.group == "control") == one.is_control
        features = policy.encode({"session_step": np.array([0]), "recent_shown_items": np.zeros((1, 5), np.int64)})
        chances = policy.probabilities(features, np.array([[True, True, True, False]]))[0]
        assert choice.propensity == pytest.approx(chances["abc".index(choice.action)], rel=1e-6)


@pytest.mark.parametrize("holdout", [0.0, 0.3])
def test_a_policy_that_is_rolled_out_decides_for_its_share_and_the_incumbent_for_the_others(holdout: float) -> None:
    """Each under its own version and with its own propensities; who is held out stays so; lines tell the share."""
    before = make_policy("a", "b", "c", has_other=True, seed=9)
    shoppers = [f"{n:032x}" for n in range(300)]
    made = maker(pipeline=a_pipeline(holdout))
    made.shared_out = SharedOut(0.25, PolicyInUse.of(before, 2))
    decided = made.decide([asked(shopper) for shopper in shoppers])
    names = {"scenario": "recommendation", "policy_version": POLICY.version}
    for shopper, one in zip(shoppers, decided, strict=True):
        if is_control(shopper, KEY, scenario="recommendation", share=holdout):
            assert (one.arm, made.lines(one)) == ("control", [])
            continue
        is_new = gets_new_version(shopper, KEY, share=0.25, **names)
        (choice,), (line,) = one.choices, made.lines(one)
        policy = POLICY if is_new else before
        assert one.arm == ("champion" if is_new else "incumbent")
        assert choice.policy_version == policy.version
        assert (choice.group == "incumbent") == (not is_new)
        assert json.loads(line)["rollout_share"] == 0.25
        features = policy.encode({"session_step": np.array([0]), "recent_shown_items": np.zeros((1, 5), np.int64)})
        chances = policy.probabilities(features, np.array([[True, True, True, False]]))[0]
        assert choice.propensity == pytest.approx(chances["abc".index(choice.action)], rel=1e-6)
    assert 30 < sum(one.arm == "champion" for one in decided) < 110


def test_a_first_policy_leaves_the_others_to_the_shop() -> None:
    """There is no version that it replaces; who opted out gets the fallback as ever."""
    made = maker()
    made.shared_out = SharedOut(0.25, None)
    decided = made.decide([asked(f"{n:032x}") for n in range(200)])
    assert {(one.arm, one.uses_own, bool(one.choices)) for one in decided} == {
        ("champion", False, True),
        ("incumbent", True, False),
    }
    (opted_out,) = made.decide([asked("made-up", is_opted_out=True)])
    assert (opted_out.choices[0].group, "rollout_share" in made.lines(opted_out)[0]) == ("fallback", False)


def test_who_stayed_with_the_shop_stays_where_a_first_policy_is_turned_off() -> None:
    """The others, who had it, get the fallback; where a version is replaced, all do, as the switch says."""
    made, shoppers = maker(), [f"{n:032x}" for n in range(200)]
    made.shared_out = SharedOut(0.25, None)
    before = {one.asked.shopper: one.arm for one in made.decide([asked(one) for one in shoppers])}
    made.served, made.shared_out = None, SharedOut(0.25, None, POLICY.version)
    for one in made.decide([asked(one) for one in shoppers]):
        assert one.arm == before[one.asked.shopper]
        assert one.uses_own == (one.arm == "incumbent")
        assert [choice.group for choice in one.choices] == ([] if one.uses_own else ["fallback"])
    made.shared_out = None
    assert {one.choices[0].group for one in made.decide([asked(one) for one in shoppers])} == {"fallback"}


def test_the_incumbents_own_rules_and_caps_hold_for_its_shoppers() -> None:
    rules = ActionRules(blocked=frozenset("b"), caps=(Cap(frozenset("a"), 1),))
    before = make_policy("a", "b", "c", has_other=True).with_rules(rules)
    made = maker()
    made.shared_out = SharedOut(0.0, PolicyInUse.of(before, 2))
    found = [actions(made, shopper="ann", n_positions=2) for _ in range(2)]
    assert [sorted(one) for one in found] == [["a", "c"], ["c"]]


def test_the_shops_rules_hold_for_the_control_group_too() -> None:
    """Those of the service, and those that the control policy was learned under."""
    before = make_policy("a", "b", "c", has_other=True).with_rules(ActionRules(blocked=frozenset("b")))
    made = maker(pipeline=a_pipeline(1.0), rules=ActionRules(blocked=frozenset("c")))
    made.control = PolicyInUse.of(before, 2)
    assert {actions(made, shopper=f"{n:032x}")[0] for n in range(30)} == {"a"}
