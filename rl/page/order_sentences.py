"""What a night of orders found, in sentences for a buyer."""

from __future__ import annotations

from rl.figures.night import BEHAVIOR, NightFigures
from rl.figures.orders import Censored, OrderFigures, SharedLimitFigures, WayToOrder
from rl.figures.values import Spread
from rl.page.wording import count, counted, number, share, signed, signed_range

METHODS = {
    "logged orders": "today's rule, the orders as they were placed",
    "base_stock": "up to a level that follows the forecast",
    "capped_base_stock": "up to a level, with a limit on one order",
    "reorder_point": "from a reorder point on, up to a level (s, S)",
    "newsvendor": "up to the formula's level (newsvendor)",
    "projected_level": "up to what is expected to be left on arrival",
    "hindsight": "up to a level that a network learned from logged demand",
    "discrete_cql": "up to the level that offline RL (conservative Q-learning) values most",
    "discrete_iql": "up to the level that offline RL (implicit Q-learning) values most",
    "double_dqn": "up to the level that offline RL (double Q-learning) values most",
    "plan": "as a plan over stock and orders on the way says",
    "cql": "up to the level that a policy of offline RL (conservative Q-learning) says",
    "iql": "up to the level that a policy of offline RL (implicit Q-learning) says",
    "td3_plus_bc": "up to the level that a policy of offline RL (TD3 held near the log) says",
    "awac": "up to the level that a policy of offline RL (advantage-weighted imitation) says",
}
ROLES = {
    "today": "today's rule",
    "candidate": "chosen",
    "formula": "best formula",
    "champion": "champion",
    "other": "",
}


_EVERY_DAY = "every day"
_STRAYED = " What went astray in the log, or turned up, does so under every way alike, as far as it is there."


def declared_sentences(orders: OrderFigures) -> tuple[str, ...]:
    """Return what every figure rests on that no log can show."""
    days = f"{orders.lead_days} days" if orders.lead_days > 1 else "a day"
    simulated = orders.simulated_stock
    return (
        *_simulated(orders),
        "Declared, not measured: demand doesn't depend on what is ordered. Every way to order is led through the same "
        "demand. Where an empty shelf sends shoppers to the next product, or a full one draws them in, the figures are "
        "wrong.",
        f"Orders are {_placed(orders)}taken to arrive {days} after they are placed, as promised, by every way alike."
        f"{_lasting(orders)}",
        f"What comes in on a day counts as there from the day's start.{'' if simulated else _STRAYED}",
        *(() if simulated else (_censored(orders),)),
        *_wasted(orders),
        *_shared(orders),
    )


def _simulated(orders: OrderFigures) -> tuple[str, ...]:
    """Return what is declared of a log that counts no stock, and what follows for whoever reads on."""
    if not orders.simulated_stock:
        return ()
    return (
        orders.simulated_stock,
        "So today's rule is what is declared, not what the shop did, and a gain over it is worth as much as that "
        "declaration. Demand that an empty shelf lost is in no log: nothing here knows it. What tomorrow's list says "
        "lies on hand and on the way is simulated: `decide --stock FILE` makes it of what you have.",
    )


def _wasted(orders: OrderFigures) -> tuple[str, ...]:
    if orders.is_waste_charged is None:
        return ()
    charged = "taken off what is earned" if orders.is_waste_charged else "no part of what is earned"
    return (
        "Products that don't keep are taken to be sold oldest first, and what is past its days (orders.shelf) leaves "
        "the stock as waste. No log tells how old units are: what lies there as a replay begins counts as fresh. What "
        f"waste costs is {charged}.",
    )


def _placed(orders: OrderFigures) -> str:
    return "" if orders.order_days == _EVERY_DAY else f"placed {orders.order_days}, and "


def _lasting(orders: OrderFigures) -> str:
    """Return what orders have to last for, where they aren't placed every day."""
    if orders.order_days == _EVERY_DAY:
        return ""
    lasting = f" Each has to last for up to {counted(orders.days_covered or 0, 'day')}, until the next one arrives."
    if not orders.placed_elsewhere:
        return lasting
    return (
        f"{lasting} Today's rule is led as it was logged: {share(orders.placed_elsewhere)} of its orders were placed "
        "on other days, a freedom that the others don't have."
    )


def _shared(orders: OrderFigures) -> tuple[str, ...]:
    limit, today = orders.shared, orders.way("today")
    if limit is None or today is None:
        return ()
    broken = ""
    if today.days_beyond:
        how = "which was declared without it" if orders.simulated_stock else "as it was logged"
        broken = (
            f" Today's rule, {how}, orders beyond it on {share(today.days_beyond)} of the tested days: it is compared "
            "as it was, with more room than the others have."
        )
    return (
        f"All products share a limit of {_room(limit, limit.limit)}, on hand and on the way. Every way to order keeps "
        "it on every day. It ties the products, so intervals are over weeks alone; a product whose day isn't known "
        f"takes no room in a replay.{broken}",
    )


def shared_sentence(figures: NightFigures, orders: OrderFigures) -> str:
    """Return what the shared limit does to tomorrow's list; empty without one."""
    limit = orders.shared
    if limit is None or limit.taken is None:
        return ""
    unit = figures.facts.reward_unit
    kept = (
        f"{counted(limit.held_back, 'unit')} fewer are ordered for it." if limit.held_back else "It holds back nothing."
    )
    full = "" if limit.taken <= limit.limit else " More than that lies there already, so nothing is ordered."
    return (
        f"With these orders the products take {_room(limit, limit.taken)} of the {_room(limit, limit.limit)} that they "
        f"share.{full} {kept} A {_ROOM_UNITS[limit.of]} of it costs {limit.price:.2g} {unit} a day, by the validation "
        "days."
    )


_N_NAMED = 5
_ROOM_UNITS = {"units": "piece", "volume": "cubic millimeter", "cost": "unit of money"}


def _room(limit: SharedLimitFigures, amount: float) -> str:
    told = {"units": "{:,.0f} pieces", "volume": "{:,.0f} cubic millimeters", "cost": "{:,.2f} of stock by its cost"}
    return told[limit.of].format(amount)


def _censored(orders: OrderFigures) -> str:
    found = orders.censored
    if not found.share:
        return "On no tested day a product ran out, so that all of its demand stands in the log."
    return (
        f"On {share(found.share)} of the tested product-days nothing was left while the shop was open: what more "
        f"would have been asked for stands in no log. It was estimated from like days, {found.draws} times from weeks "
        f"drawn anew, and adds {share(found.added)} to what was sold ({share(found.added_lower)} to "
        f"{share(found.added_upper)}); all intervals hold that doubt.{_tail(found)}"
    )


def _tail(found: Censored) -> str:
    """Return what is declared beyond what any day shows; empty of nights that don't tell."""
    if found.tail is None or found.declared is None:
        return ""
    if not found.declared:
        return " None of it lies beyond what like days show."
    return (
        f" On {share(found.declared)} of like days demand lies beyond all that they ever had in stock: how far is "
        f"declared, {_TAILS[found.tail]} (orders.demand_tail), and not measured."
    )


_TAILS = {
    "negative_binomial": "by a negative binomial law of units, fitted to all days",
    "geometric": "as if it went on declining at the last known rate",
    "at_bound": "as the least that is possible",
}


def declared_rule_sentence(figures: NightFigures, orders: OrderFigures) -> str:
    """Return what the gain would be over the declared rule at its best; empty where the log counts its stock."""
    rule = orders.declared_rule
    if rule is None:
        return ""
    if rule.gain is None:
        return "How far the gain rests on the declared safety can't be told: too few products or weeks."
    told = _difference(rule.gain, figures.facts.reward_unit)
    if figures.compared_with != BEHAVIOR:
        return (
            f"Over the declared rule with the safety that earns most on the training days ({rule.best_safety:g}, "
            f"declared {rule.safety:g}) it earns {told}."
        )
    if rule.best_safety == rule.safety:
        return f"The declared safety of {rule.safety:g} is the one that earns most on the training days: {told}."
    return (
        f"The gain rests on the declared safety of {rule.safety:g}. Had the shop ordered with {rule.best_safety:g}, "
        f"which earns most on the training days, it would be {told}."
    )


def winner_sentence(figures: NightFigures, orders: OrderFigures) -> str:
    """Return which way to order won, and by how much."""
    chosen, today = _of(orders, "candidate"), _of(orders, "today")
    unit = figures.facts.reward_unit
    change = chosen.earned.value - today.earned.value
    base = f" ({signed(100 * change / today.earned.value)}%)" if today.earned.value > 0 else ""
    return (
        f"Chosen on the validation days: {chosen.name}, which orders {METHODS[chosen.method]}. On the tested days it "
        f"earns {signed(change)} {unit} per product and week against today's rule{base}, {number(chosen.earned.value)} "
        f"instead of {number(today.earned.value)}."
    )


def learning_sentence(figures: NightFigures, orders: OrderFigures) -> str:
    """Return plainly whether learning earns its place."""
    unit, chosen = figures.facts.reward_unit, _of(orders, "candidate")
    if orders.learner is None:
        return "No learner was tried: what is compared are formulas alone."
    lead = orders.learner_lead
    if not chosen.is_learner:
        told = "" if lead is None else f": {_difference(lead, unit)} on the validation days"
        if chosen.method == "plan":
            return (
                f"Learning doesn't earn its place here. The plan {chosen.name}, which is reckoned from fitted demand, "
                f"is used. What the best learner ({orders.learner}) earns against the best formula "
                f"({orders.formula}){told or ' is not known'}."
            )
        return (
            f"Learning doesn't earn its place here. The best learner ({orders.learner}) isn't ahead of the best "
            f"formula ({orders.formula}) by more than chance{told}. The formula is used, which is easier to check."
        )
    against = orders.against_formula
    if against is not None and against.lower > 0:
        return (
            f"The learner {chosen.name} is better than the best formula ({orders.formula}): "
            f"{_difference(against, unit)} on the tested days."
        )
    told = "" if against is None else f": {_difference(against, unit)} on the tested days"
    return (
        f"The learner {chosen.name} was ahead on the validation days, but is not shown to be better than the best "
        f"formula ({orders.formula}){told}. Learning hasn't earned its place yet: the formula would do as well."
    )


def forecast_sentence(orders: OrderFigures) -> str:
    """Return whether forecasts follow their errors of the last days; empty where the scenario doesn't ask."""
    if orders.follows_errors is None:
        return ""
    if orders.follows_errors:
        return (
            "Tonight's candidates see forecasts that follow their errors of the last seven days: on later training "
            "days these err less."
        )
    return (
        "Forecasts were asked to follow their errors of the last days (orders.corrects_forecasts), and training days "
        "don't show that they err less so, or are too few to tell: they stay as they are."
    )


def plan_sentence(figures: NightFigures, orders: OrderFigures) -> str:
    """Return what the plan plans, what it leaves to a formula, and what it earned; empty where none was tried."""
    found = orders.plan
    if found is None:
        return ""
    told = f"Plan for {found.n_planned:,} of {counted(found.n_products, 'product')} ({found.name})."
    if left := found.n_products - found.n_planned:
        named = ", ".join(found.others) + (", …" if left > len(found.others) else "")
        told += (
            f" The other {'one has' if left == 1 else f'{left:,} have'} no table, since it would be too large or too "
            f"little is known ({named}): ordered up to what is expected to be left on arrival."
        )
    if found.lead is not None:
        told += (
            f" On the validation days it earned {_difference(found.lead, figures.facts.reward_unit)} against the best "
            f"formula ({orders.formula})."
        )
    return told


def list_sentence(orders: OrderFigures) -> str:
    """Return what tomorrow's list holds, and what it leaves out."""
    if orders.no_list:
        return f"There are {orders.no_list}. The night before makes their list."
    if orders.day is None:
        return "No list for tomorrow: no product was counted on the last day."
    left_out = ""
    if orders.n_unlisted:
        one = orders.n_unlisted == 1
        why = f"since a count is missing or {'it has' if one else 'they have'} left the range"
        if orders.simulated_stock:
            were = "it was" if one else "they were"
            why = f"since {were} sold of late, for the first time or again, and no more is known"
        left_out = (
            f" {counted(orders.n_unlisted, 'product')} of the last week {'is' if one else 'are'} not on it, {why}: "
            f"order by hand{named(orders.unlisted, orders.n_unlisted)}."
        )
    if orders.n_untold_packs:
        one = orders.n_untold_packs == 1
        left_out += (
            f" {counted(orders.n_untold_packs, 'product')} {'is' if one else 'are'} ordered by the piece, since items "
            f"tell no pack_size of {'it' if one else 'them'}{named(orders.untold_packs, orders.n_untold_packs)} while "
            "they do of others: deliver it."
        )
    if orders.n_never:
        one = orders.n_never == 1
        left_out += (
            f" {counted(orders.n_never, 'product')} can never be ordered{named(orders.never, orders.n_never)}: "
            f"{'its' if one else 'their'} smallest order, in whole packs, is more than orders.most_units allows on "
            "hand and on the way."
        )
    left_out += _coarse(orders)
    return (
        f"{counted(orders.units_ordered, 'unit')} of {counted(orders.n_ordered, 'product')}, of "
        f"{count(orders.n_lines)} that were looked at.{left_out}"
    )


def _coarse(orders: OrderFigures) -> str:
    """Return which products come in packs that hold far more than is wanted of them; empty without any."""
    if not orders.n_coarse:
        return ""
    one = orders.n_coarse == 1
    told = (
        f" Of {counted(orders.n_coarse, 'product')}{named(orders.coarse, orders.n_coarse)} the smallest order, in "
        f"whole packs, is more than twice what is ordered up to: it is placed where waiting would lose more than "
        "holding it costs."
    )
    if not orders.n_unworthy:
        return told
    which = "It" if one else f"{count(orders.n_unworthy)} of them{named(orders.unworthy, orders.n_unworthy)}"
    never = "is never ordered, since a pack" if orders.n_unworthy == 1 else "are never ordered, since a pack"
    return f"{told} {which} {never} would cost more than it brings: ask for smaller packs."


def losing_sentence(orders: OrderFigures) -> str:
    """Return which products are sold at a loss, and what that does to their figures and orders; empty without any."""
    if not orders.n_losing:
        return ""
    one = orders.n_losing == 1
    return (
        f"{counted(orders.n_losing, 'product')} {'brings' if one else 'bring'} nothing or less for a piece, "
        f"ordering it included{named(orders.losing, orders.n_losing)}. Every figure counts the loss; "
        f"{'its' if one else 'their'} orders are made as if a piece brought a hundredth. "
        "Where the cost is wrong, deliver it again."
    )


def named(products: tuple[str, ...], n: int) -> str:
    """Return the first products in brackets, with how many more there are; empty where none is named."""
    shown = products[:_N_NAMED]
    more = f" and {count(n - len(shown))} more" if n > len(shown) else ""
    return f" ({', '.join(shown)}{more})" if shown else ""


def way_name(way: WayToOrder) -> str:
    """Return the name of a way to order with what it is on this night."""
    if way.role == "today":
        return "Today's rule"
    role = ROLES[way.role]
    return f"{way.name} ({role})" if role else way.name


def _of(orders: OrderFigures, role: str) -> WayToOrder:
    found = orders.way(role)
    if found is None:
        raise ValueError(f"no way to order is {role}")
    return found


def _difference(found: Spread, unit: str) -> str:
    return f"{signed(found.value)} {unit} per product and week ({signed_range(found.lower, found.upper)})"
