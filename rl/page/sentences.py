"""Figures of a night in sentences: notes, hidden reasons, guardrails, names."""

from __future__ import annotations

from collections.abc import Iterator

from rl.figures.evidence import Confounding, SplitLossFigures
from rl.figures.night import BEHAVIOR, NightFigures, Notes
from rl.figures.values import GuardrailFigures
from rl.figures.verdict import Allowance
from rl.page.wording import counted, number, one_of, share

BEHAVIOR_NAME = "behavior policy"


def policy_name(name: str) -> str:
    """Return a policy's name as the page says it."""
    return BEHAVIOR_NAME if name == BEHAVIOR else name


def notes_of(figures: NightFigures) -> tuple[str, ...]:
    """Return what a reader must know beside the verdict, a whole sentence or more each."""
    allowance = () if figures.allowance is None else (allowance_in_words(figures.allowance),)
    return (*allowance, *_notes(figures.notes))


def allowance_in_words(found: Allowance) -> str:
    """Return what tonight's look may risk, and what earlier looks have spent."""
    before = (
        f"{counted(found.n_looks, 'earlier look')} since {found.since} spent {found.spent:.3f} of it"
        if found.n_looks
        else "no earlier look spent any of it"
    )
    return (
        f"Of {found.per_year:g} wrong promotions allowed a year, tonight's look may take {found.level:.4f} (its risk "
        f"of promoting a candidate that is no better); {before}."
    )


def hidden_reasons(found: Confounding) -> str:
    """Return how strong a hidden reason behind the logged choices must be to change what the gate says."""
    consequence = "undo the gain" if found.flips == "gain" else "hide a real gain"
    if found.gamma is None:
        return (
            f"No hidden reason behind the logged choices, even one of {found.largest_gamma:.0f} times the odds, would "
            f"be enough to {consequence}."
        )
    at = " at every decision" if found.longest_steps > 1 else ""
    return (
        f"A hidden reason that makes a shown item up to {found.gamma:.2f} times as likely (in odds){at} as its "
        f"probability says would be enough to {consequence}."
    )


def unseen_losses(found: SplitLossFigures, *, units: str, reward_unit: str) -> str:
    """Return what the losses of all splits added, and how rare a loss must be to have stayed unseen.

    Args:
        found: losses of all splits.
        units: what the independent units are called, in the plural.
        reward_unit: of the gain.
    """
    shift = (
        "The test episodes hold fewer of the candidate's losses than all episodes do, so the gain's lower bound counts "
        f"{number(found.shift)} {reward_unit} per episode more."
        if found.shift > 0
        else "The test episodes hold as many of the candidate's losses as all episodes do, or more."
    )
    differing = f"{counted(found.n_differing, one_of(units), units)} for whom candidate and baseline decide differently"
    if found.rarest is None:
        return f"{shift} The whole log holds, effectively, {differing}: too few to see any but frequent losses."
    return (
        f"{shift} The whole log holds, effectively, {differing}. A loss that strikes fewer than 3 in "
        f"{found.n_differing:,.0f} of them may have stayed unseen, and no figure on this page would know of it."
    )


def guardrail_detail(found: GuardrailFigures) -> str:
    """Return what the bound allows, or why there is none."""
    if found.refusal is not None:
        return found.refusal
    is_on_fall = found.max_relative_decrease is not None
    bound, movement = (found.lower, "fall") if is_on_fall else (found.upper, "rise")
    if not found.is_bounded:
        return f"may {movement} by any amount"
    if bound is None:
        return "no bound"
    by = -bound if is_on_fall else bound
    return f"may {movement} by at most {share(by)}" if by > 0 else f"doesn't {movement}, as far as the log can tell"


def _notes(notes: Notes) -> Iterator[str]:
    if notes.uncompared_champion is not None:
        champion = notes.uncompared_champion
        yield (
            f"The {champion.name} is no baseline here: {champion.problem}. The candidate was compared with the "
            "behavior policy instead; promoting it would replace that champion."
        )
    if notes.selection:
        yield f"Temperature and candidate were {notes.selection}."
    if notes.unknown_actions:
        yield (
            f"{notes.unknown_actions:.1%} of the test decisions took an action that the candidate doesn't know by "
            "name: it is new since training, or beyond max_actions of the scenario. The candidate never shows those "
            "unless nothing else is available; the gain counts that in."
        )
    if notes.no_truth:
        yield f"No true values: {notes.no_truth}."
    yield from (f"Left out, as its training failed or took too long: {name}." for name in notes.left_out)
    yield from notes.registry_changes
    yield from notes.earlier
