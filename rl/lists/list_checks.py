"""What a list must be before anybody gets it, checked on its rows, whatever drew them."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from conf.observation_features import NOTHING_OFFERED
from rl.data.week_observations import WeekObservations
from rl.errors import PolicyError
from rl.lists.weekly_decisions import Offers
from rl.policy.offer_prices import MILLIONTHS


def refuse_wrong_list(
    rows: pa.Table,
    observed: WeekObservations,
    offers: Offers,
    *,
    committed: Mapping[str, int],
    weekly_budget: int,
) -> None:
    """Raise if the rows are no list of the week's shoppers within the budget.

    What is committed is summed anew, from the offers and what each commits.

    Args:
        rows: of the table of decisions.
        observed: the week's shoppers.
        offers: what they may get.
        committed: by sending each action, in millionths.
        weekly_budget: in millionths.

    Raises:
        PolicyError: lists everything that is wrong; nobody's id is told.
    """
    actions, users = rows["action"].to_pylist(), rows["user_id"].to_pylist()
    problems = []
    total = sum(committed[one] for one in actions)
    if total > weekly_budget:
        problems.append(
            f"it commits {total / MILLIONTHS:,.6f}, and the budget is {weekly_budget / MILLIONTHS:,.6f}: "
            f"{(total - weekly_budget) / MILLIONTHS:,.6f} too much"
        )
    if rows["committed"].to_pylist() != [committed[one] for one in actions]:
        problems.append("what rows say they commit isn't what their offers commit")
    if users != list(observed.user_id):
        problems.append(f"its {len(users)} rows aren't of the week's {len(observed)} shoppers, one each")
    else:
        problems += _wrong_offers(actions, observed, offers)
    if pc.count_distinct(rows["decision_id"]).as_py() != rows.num_rows:
        problems.append("decision ids repeat")
    if any(not 0 < one <= 1 for one in rows["propensity"].to_pylist()):
        problems.append("some propensities aren't above 0 and at most 1")
    if problems:
        raise PolicyError("the list was not published: " + "; ".join(problems))


def _wrong_offers(actions: list[str], observed: WeekObservations, offers: Offers) -> list[str]:
    may_not = (~observed.is_active | observed.has_opted_out).tolist()
    n_unwanted = sum(one and action != NOTHING_OFFERED for one, action in zip(may_not, actions, strict=True))
    unknown = set() if offers.available is None else set(actions) - offers.available
    found = []
    if n_unwanted:
        got, absent = ("shopper gets", "hasn't") if n_unwanted == 1 else ("shoppers get", "haven't")
        found.append(f"{n_unwanted} {got} an offer who opted out or {absent} come for long")
    if unknown:
        found.append(f"it sends {', '.join(sorted(unknown))}, which {offers.available_id} doesn't hold")
    return found
