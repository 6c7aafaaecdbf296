"""Faults that are easy to make, each a change of one expression in one of the kernel's functions."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from conf.kernel import (
    attribution,
    availability_in_force,
    daily_counts,
    decisions,
    episode_ends,
    favorites,
    history_features,
    quarantine,
    session_features,
    sessions,
    stream,
    told,
    transitions,
)
from conf.kernel.calendar import Calendar
from conf.kernel.clocks.session_step import SessionStep


@dataclass(frozen=True)
class Fault:
    """Where a function's source says `right`, it says `wrong`."""

    function: Any
    right: str
    wrong: str

    @property
    def code(self) -> CodeType:
        """What the function would run with the fault."""
        source = textwrap.dedent(inspect.getsource(self.function))
        if source.count(self.right) != 1:
            raise ValueError(f"{self.function.__name__}: {self.right!r} stands there {source.count(self.right)} times")
        scope: dict[str, Any] = dict(self.function.__globals__)
        exec("from __future__ import annotations\n" + source.replace(self.right, self.wrong), scope)
        faulty = scope[self.function.__name__]
        if not isinstance(faulty, FunctionType):
            raise TypeError(f"{self.function.__name__} is decorated: its code can't be replaced")
        return faulty.__code__


FAULTS: dict[str, Fault] = {
    "a gap of the limit ends a session": Fault(sessions._starts_chain, "> rule.gap_us", ">= rule.gap_us"),
    "chains are cut at the third midnight": Fault(
        sessions._is_after_second_midnight, ">= chain_day + DAYS_BEFORE", "> chain_day + DAYS_BEFORE"
    ),
    "the longest duration is a microsecond longer": Fault(
        sessions._starts_part, "since_start // rule", "(since_start - 1) // rule"
    ),
    "equal types stand in the opposite order of their ids": Fault(stream.total_order, "(event,", "(-event,"),
    "a cut session closes a gap after its last event": Fault(
        sessions.closing_times, "np.where(sessions.is_cut,", "np.where(False,"
    ),
    "a cut session is terminal": Fault(SessionStep.points, "~visits.is_cut[session] & ", ""),
    "a session is closed the moment the watermark reaches it": Fault(
        SessionStep.points, "closing < watermark_us", "closing <= watermark_us"
    ),
    "an episode that is full has no end": Fault(episode_ends.ends, "(is_last | is_bounded)", "is_last"),
    "a reward is settled only after the horizon's end": Fault(
        episode_ends.has_settled, "<= horizon_end_us", "< horizon_end_us"
    ),
    "a decision sees itself": Fault(SessionStep.points, "row_end=merged.of(rows,", "row_end=merged.of(rows + 1,"),
    "a session's features see its shopper's earlier sessions": Fault(
        SessionStep.points, "merged.of(visits.starts[session],", "merged.of(stream.starts[stream.unit[rows]],"
    ),
    "clocks never change": Fault(Calendar.local_us, 'np.searchsorted(self.changes_us, time_us, side="right") - 1', "0"),
    "a price of 0 has no digit": Fault(session_features._binary_digits, ", 1)", ", 0)"),
    "a logged decision shows the line's item": Fault(decisions.decisions, 'rule.key == "item"', "False"),
    "late events count from their own day": Fault(
        daily_counts.daily_counts, "np.maximum(stream.day, stream.delivery_day)", "stream.day"
    ),
    "events count on the day of their delivery": Fault(
        daily_counts.daily_counts, "stream.delivery_day) + 1", "stream.delivery_day)"
    ),
    "history is a day short": Fault(history_features._asked, "history_days + 1", "history_days"),
    "the last visit may lie before the history": Fault(
        history_features.days_since_last_visit, " & (day >= asked.as_of_day - asked.history_days)", ""
    ),
    "favorites tie by descending id": Fault(favorites._ranked, "(category,", "(-category,"),
    "an event that is a decision earns itself": Fault(attribution.touches_of, "else rows + 1", "else rows"),
    "a reward goes to the next decision": Fault(
        attribution.latest_touch, "np.lexsort((~is_touch, place,", "np.lexsort((~is_touch, -place,"
    ),
    "a reward goes to another shopper's decision": Fault(attribution.latest_touch, "& is_same_unit ", ""),
    "the window's last moment is outside": Fault(attribution.attribute, "<= rule.window_us", "< rule.window_us"),
    "a decision counts however long ago": Fault(attribution.attribute, "- rule.look_back_days", "- 1000"),
    "a decision without an id has none": Fault(
        attribution.links, "np.where(stream.link != NO_ID, stream.link, stream.own_link)", "stream.link"
    ),
    "null links tie to each other": Fault(attribution.latest_touch, " & (named[order] != NO_ID)", ""),
    "a set is in force before its delivery": Fault(
        availability_in_force.set_in_force,
        "np.maximum(sets.valid_from_us, sets.delivered_us)",
        "sets.valid_from_us",
    ),
    "a decision that can't be used is set aside alone": Fault(
        quarantine.quarantine, "np.isin(episode, episode[reason != USABLE])", "reason != USABLE"
    ),
    "a set is known however late it comes": Fault(
        quarantine._is_known, "delivered[place] <= known_by_us", "delivered[place] < np.iinfo(np.int64).max"
    ),
    "an action may be offered by any set": Fault(quarantine._is_offered, "np.isin(asked, offers) & ", ""),
    "an episode's set may be unknown at its end": Fault(
        transitions._next_availability, "aside.reason == UNKNOWN_SET", "False"
    ),
    "episodes are numbered anew where one is set aside": Fault(
        transitions.transitions,
        "_part(points.episode[asked], session)[kept]",
        "_part(points.episode[asked][kept], session[kept])",
    ),
    "a decision that is told again is another one": Fault(decisions._tells_again, "found[rows[order]] = ~", "~"),
    "parts of a slate are one decision": Fault(decisions._tells_again, ", shown, stream.position)", ")"),
    "what was told counts on the day of its delivery": Fault(
        told.value_as_of, "told.delivery_day + 1", "told.delivery_day"
    ),
    "what was told counts before it was delivered": Fault(told.value_as_of, "np.maximum(in_time, in_days)", "in_time"),
    "what was told counts before it holds": Fault(told.value_as_of, "np.maximum(in_time, in_days)", "in_days"),
    "what holds from one moment is what was told last": Fault(
        told.value_as_of, "-told.delivery_day, told.valid", "told.delivery_day, told.valid"
    ),
    "what was told of another shopper counts": Fault(told.value_as_of, " & (np.append(of_row, -1)[row] == asked)", ""),
    "a value that isn't listed is missing": Fault(told._codes, "MISSING, UNKNOWN)", "MISSING, MISSING)"),
    "an item's category stands for the event's own": Fault(told.known_categories, "(category == NO_ID) & ", ""),
    "history sees none of the items' categories": Fault(
        daily_counts.daily_counts, "stream.known_category", "stream.category"
    ),
    "decisions are told again on other days": Fault(
        decisions._tells_again, "(stream.unit, stream.day,", "(stream.unit,"
    ),
    "a slate's click goes to the slate's last item": Fault(
        attribution._of_slates, "found[is_known]", "latest[asked[is_known]]"
    ),
}
