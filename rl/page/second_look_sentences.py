"""Second looks in sentences: what a page says before all else."""

from __future__ import annotations

from rl.figures.night import NightFigures
from rl.figures.second_look import TakenLook
from rl.page.wording import chance


def second_look_headlines(figures: NightFigures) -> tuple[str, ...]:
    """Return what a reader must know of second looks that the night took or declares; nothing where it did neither."""
    told = []
    if (taken := figures.taken) is not None:
        first = f"version {taken.version}, which the night of {taken.night} found too few sessions to judge"
        if taken.outcome == "promote":
            told.append(
                f"This is a second look, at {first}, though its gain stood out. The policy is that one, unchanged; "
                "what stands below rests on sessions that the first look did not see, and nothing that it saw is in "
                f"the gain. The first look spent nothing, and this one's risk of {chance(taken.level)} was taken out "
                "of the allowance on that night. Tonight's own candidates were not judged."
            )
        else:
            ended = {"void": "was not taken", "reject": "did not pass", "abstain": "could not tell"}[taken.outcome]
            told.append(f"The second look at {first}, {ended}: {taken.why} What it could spend stays spent.")
    if (declared := figures.declared) is not None:
        told.append(
            f"A second look is declared: this candidate, unchanged, is judged again on {declared.planned} by the "
            f"sessions after tonight's alone. Its risk of {chance(declared.level)} is taken out of the allowance now, "
            "whether or not the look is taken."
        )
    return tuple(told)


def passed_second_look(taken: TakenLook) -> str:
    """Return in a few words at what a second look was that passed; empty where it ended otherwise."""
    if taken.outcome != "promote":
        return ""
    return (
        f"a second look at version {taken.version}, which the night of {taken.night} found too few sessions to judge; "
        "the gain rests on sessions that the first look did not see"
    )
