"""What a file's columns seem to be: the mapping of a feed, and what is in doubt about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from conf.specs.field_mapping import MONEY_FIELDS, NULL_WORDS
from conf.specs.json_paths import is_path, read_path
from jobs.parsing.raw_values import exact_decimal
from jobs.proposal.column_words import FIELD_WORDS, field_rank, is_in_minor_units, is_of_a_piece, names_a_visit
from jobs.proposal.event_words import FLAG_WORDS, event_type_of, meant_word
from jobs.proposal.file_looks import FileLook, Values
from jobs.proposal.nested_lines import NestedLines
from jobs.proposal.time_guesses import TimeGuess, guess_time

_OPTIONAL = (
    "event_id",
    "category_id",
    "price",
    "quantity",
    "position",
    "propensity",
    "slate_id",
    "decision_id",
    "currency",
)
_NUMBERS: dict[str, dict[str, Any]] = {
    "price": {"at_least": 0},
    "quantity": {"at_least": 0},
    "position": {"at_least": 0},
    "propensity": {"above": 0, "at_most": 1},
}
_ARMS = re.compile(r"treatment|treated|arm|variant|segment", re.IGNORECASE)
_ORIGINAL = re.compile(
    r"orig|urspr|oorspr|purchase|sale|kauf|bezug|vente|achat|compra|venta|vendita|aankoop|verkoop|zakup|initial"
)
_LABELLED = re.compile(r"\S+-[01](\s+\S+-[01])*")
_OTHER_NULLS = ("(not set)", "(none)", "(not provided)", "N/A", "n/a", "NA", "k.A.", "k. A.", "-", "undefined")
_DOTTED_IDS = (
    re.compile(r"\d+\.0"),
    re.compile(r"(GA\d\.\d\.)?\d{3,}\.\d{4,}"),
    re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+"),
)
_OF_ITEMS = ("item_id", "category_id", "slate_id")
_MOST_WORDS = 60
_LEAST_AMOUNTS = 5
_NAMES_A_LINE = 15
_MOST_SHORT = 2
_LEAST_SHARED = 5
_FEW = 0.02
_RARE, _RARE_IN_VISITS = 0.02, 0.001


@dataclass
class FeedGuess:
    """A feed's mapping (`events`), keys that its csv gets in addition, doubts by field or column, and questions."""

    look: FileLook
    events: dict[str, Any] = field(default_factory=dict)
    form: dict[str, Any] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    null_words: list[str] = field(default_factory=list)
    missing_share: float = 0.0

    @property
    def kinds(self) -> list[str]:
        """Event types that its lines can be."""
        mapping = self.events["event_type"]
        found = [mapping["constant"]] if "constant" in mapping else list(mapping.get("map", {}).values())
        return [*found, *[rule["type"] for rule in mapping.get("match", ())]]


def guess_feed(look: FileLook) -> FeedGuess | None:
    """Return what the file's columns seem to be; None where nothing says that its lines are events."""
    guess = FeedGuess(look, form=dict(look.form or {}), doubts=list(look.doubts))
    # Of a visit's many clicks hardly one is an order.
    least = _RARE_IN_VISITS if look.nested is not None else _RARE
    columns = {name: values for name, values in look.columns.items() if _filled(values) > least}
    time = _time_of(look, columns)
    arm = next((name for name in columns if _ARMS.fullmatch(name)), None)
    if time is None and arm is None:
        return None
    _put_time(guess, time)
    used = set(_texts(guess.events["event_time"]))
    free = {name: values for name, values in columns.items() if name not in used}
    if look.nested is not None:
        free = _without_sessions(guess, look.nested, free)
    if not _put_labelled_list(guess, free):
        _put_type(guess, free)
        _put_ids(guess, free, arm)
    elif "user_id" not in guess.events:
        _put_ids(guess, free, None)
    _put_optional(guess, free)
    _doubt_nothing_sold(guess, free)
    _put_fill_down(guess)
    _put_nulls(guess)
    mapped = {text.removesuffix("[]") for text in _texts_below(guess.events)}
    unmapped = [name for name in look.columns if name and name not in mapped and name.removesuffix("[]") not in mapped]
    unmapped = [_with_looks(name, look.columns[name]) for name in unmapped]
    guess.doubts += [
        f"mapped to nothing: {', '.join(unmapped[first : first + _NAMES_A_LINE])}"
        for first in range(0, len(unmapped), _NAMES_A_LINE)
    ]
    guess.events = {
        name: guess.events[name]
        for name in ("event_time", "event_type", "event_id", "user_id", "item_id", *guess.events)
        if name in guess.events
    }
    return guess


def _with_looks(name: str, values: Values) -> str:
    """Return a column's name; of one of a letter or two also what its values look like, since the name says nothing."""
    given = _given(values)
    if len(name.rpartition(".")[2]) > _MOST_SHORT or not given:
        return name
    if _are_numbers(values) or _have_commas(values):
        what = "numbers with decimals" if any("." in one or "," in one for one in given) else "whole numbers"
    elif _is_id(values):
        what = "ids"
    else:
        what = f"{len(set(given))} words" if _is_of_words(values) else "texts"
    return f"{name} ({what})"


def _time_of(look: FileLook, columns: Mapping[str, Values]) -> TimeGuess | None:
    """Return the mapping of the event time: of a list's elements their own, or what has passed since the record's."""
    nested, days = look.nested, look.file_days
    if nested is None:
        return guess_time(columns, days)
    below = f"{nested.path}."
    if not nested.is_passed:
        return guess_time({name: values for name, values in columns.items() if name.startswith(below)}, days)
    start = guess_time({name: values for name, values in columns.items() if not name.startswith(below)}, days)
    if start is None:
        return None
    unit = "milliseconds" if nested.is_in_milliseconds else "seconds"
    doubt = f"{nested.column}: read as {unit} since the record's time"
    mapping = start.mapping | {"offset": {"column": nested.column, "unit": unit}}
    return TimeGuess(mapping, [*start.doubts, doubt], start.questions)


def _without_sessions(guess: FeedGuess, nested: NestedLines, columns: dict[str, Values]) -> dict[str, Values]:
    """Return the columns that may name a shopper: a session's key does where nothing else does."""
    sessions = [name for name in columns if names_a_visit(name) or name in nested.once]
    others = {name: values for name, values in columns.items() if name not in sessions}
    beside = {name: values for name, values in others.items() if not name.startswith(f"{nested.path}.")}
    has_shoppers = _best(beside, "user_id") is not None or any(map(_repeats_as_ids_do, beside, beside.values()))
    if not sessions or not has_shoppers:
        return columns
    guess.doubts.append(f"{', '.join(sessions)}: names a session; user_id is whose session it is")
    return others


def _filled(values: Sequence[str | None]) -> float:
    return sum(one is not None for one in values) / max(1, len(values))


def _given(values: Values) -> list[str]:
    return [one for one in values if one is not None]


def _put_time(guess: FeedGuess, time: TimeGuess | None) -> None:
    if time is None:
        guess.events["event_time"] = {"constant": "2020-01-01T00:00:00", "unit": "iso"}
        guess.doubts.append("event_time: no column holds a time; all lines get this one")
        return
    guess.events["event_time"] = time.mapping
    guess.doubts += time.doubts
    guess.questions += time.questions


def _put_labelled_list(guess: FeedGuess, columns: Mapping[str, Values]) -> bool:
    """Map a column of impressions such as `N1-1 N2-0`, each with its click; return whether there is one."""
    for name, values in columns.items():
        given = _given(values)
        if guess.look.form is not None and len(given) > 1 and all(map(_LABELLED.fullmatch, given)):
            if not any(" " in one for one in given):
                continue
            element, shape = f"{name}[]", {"extract": "^(.+)-[01]$", "required": True}
            guess.form["lists"] = {name: " "}
            guess.events["event_type"] = {"constant": "impression"}
            guess.events["item_id"] = guess.events["action"] = {"column": element} | shape
            guess.events["derived"] = [{"column": element, "match": ".*-1", "type": "click"}]
            line = next((one for one, found in columns.items() if _is_unique(found)), None)
            if line is not None:
                guess.events["decision_id"] = {"columns": [line, element]}
                guess.events["slate_id"] = {"column": line}
            guess.doubts.append(f"{name}: read as impressions, those that end in -1 as clicked")
            return True
    return False


def _put_type(guess: FeedGuess, columns: Mapping[str, Values]) -> None:
    shares = {name: _known_share(values) for name, values in columns.items() if _is_of_words(values)}
    column = max(shares, key=lambda name: shares[name], default=None)
    if column is not None and (shares[column] >= 0.3 or _says_several(columns[column])):
        _put_type_column(guess, columns, column)
    elif flags := _flags(columns):
        guess.events["event_type"] = {"constant": "impression"}
        guess.events["derived"] = [
            {"column": name, "values": ["1", "1.0", "true"], "type": kind} for name, kind in flags
        ]
        guess.doubts.append("event_type: no column says what happened; lines with flags are read as impressions")
    else:
        _put_one_type(guess, columns)


def _says_several(values: Values) -> bool:
    """Return whether a column of few words knows two kinds of events, however rare beside words that none knows."""
    kinds = {event_type_of(one) for one in _given(values)} - {None, "ignore"}
    return len(kinds) > 1 and _filled(values) > 0.5 and _is_of_few_words(values)


def _is_of_words(values: Values) -> bool:
    given = _given(values)
    return 0 < len(set(given)) <= _MOST_WORDS and not any(
        exact_decimal(one) is not None or "@" in one or one.startswith("/") or "://" in one for one in given
    )


def _is_of_few_words(values: Values) -> bool:
    """Return whether a column could tell what happened: a handful of words, each of them often."""
    return _is_of_words(values) and 2 <= len(set(_given(values))) <= min(20, len(values) // 5)


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def _known_share(values: Values) -> float:
    kinds = [event_type_of(one) for one in _given(values)]
    return sum(kind not in (None, "ignore") for kind in kinds) / max(1, len(values))


def _put_type_column(guess: FeedGuess, columns: Mapping[str, Values], column: str) -> None:
    values = columns[column]
    origin: dict[str, Any] = {"column": column}
    words = list(dict.fromkeys(_given(values)))
    if None in values:
        others = {
            name: {one for one, kind in zip(found, values, strict=True) if kind is None}
            for name, found in columns.items()
            if name != column and len(found) == len(values) and _is_of_words(found) and not _names_somebody(name)
        }
        whole = [name for name, found in others.items() if None not in found and len(found) <= 10]
        if whole:
            second = min(whole, key=lambda name: (name.lower() not in ("type", "kind", "action"), len(name)))
            origin = {"first_of": [column, second]}
            words += [one for one in sorted(map(str, others[second])) if one not in words]
    known = {word: kind for word in words if (kind := event_type_of(word)) not in (None, "ignore")}
    unknown = [word for word in words if event_type_of(word) is None]
    guess.events["event_type"] = origin | {"map": known}
    n_lines = Counter(one for name in origin.get("first_of", [column]) for one in columns[name])
    mistyped = {word: meant for word in unknown if (meant := meant_word(word, known)) is not None}
    for word, meant in mistyped.items():
        guess.doubts.append(
            f"event_type: is {word} ({n_lines[word]} of {len(values)} lines) {meant} mistyped? give it a type in map, "
            "or ignore it; until then its lines are rejected"
        )
    unknown = [word for word in unknown if word not in mistyped]
    if ignored := [word for word in words if word not in known and word not in mistyped]:
        guess.events["event_type"]["ignore"] = ignored
    if unknown:
        told = ", ".join(f"{word} ({n_lines[word]} of {len(values)} lines)" for word in unknown[:10])
        guess.doubts.append(
            f"event_type: ignored, since no word says what they are: {told}; give each that is an event a type in map"
        )
    if "purchase" not in known.values():
        _doubt_orders(guess, columns, values, [word for word in ignored if word not in unknown])


def _names_somebody(column: str) -> bool:
    """Return whether a column is a shopper's or a visit's: what it holds belongs in no draft."""
    return field_rank("user_id", column) is not None or names_a_visit(column)


def _doubt_orders(guess: FeedGuess, columns: Mapping[str, Values], kinds: Values, ignored: Sequence[str]) -> None:
    """Name words that seem to mean nothing of an item, though their lines count pieces and no other word is a sale."""
    found = [name for name in columns if field_rank("quantity", name) is not None and len(columns[name]) == len(kinds)]
    counted = {
        kind for name in found for kind, value in zip(kinds, columns[name], strict=True) if kind and value is not None
    }
    if orders := [word for word in ignored if word in counted]:
        guess.doubts.append(
            f"event_type: {', '.join(orders)} is ignored, though its lines hold {', '.join(found)} and no other word "
            "is a purchase: map it to purchase if orders are placed by it"
        )


def _flags(columns: Mapping[str, Values]) -> list[tuple[str, str]]:
    return [
        (name, kind)
        for name, values in columns.items()
        for kind, words in FLAG_WORDS.items()
        if any(re.fullmatch(word, name.lower()) for word in words)
        and set(_given(values)) <= {"0", "1", "0.0", "1.0", "true", "false"}
    ]


def _put_one_type(guess: FeedGuess, columns: Mapping[str, Values]) -> None:
    quantity = _best(columns, "quantity")
    price = _best(columns, "price")
    named = event_type_of(re.sub(r"[^A-Za-z]+", " ", guess.look.path.name.partition(".")[0]))
    rating = next((name for name in columns if "rating" in name.lower()), None)
    if quantity and any(one.startswith("-") for one in _given(columns[quantity])):
        rules = [{"pattern": "-.*", "type": "refund"}, {"pattern": ".*", "type": "purchase"}]
        guess.events["event_type"] = {"column": quantity, "match": rules}
        guess.doubts.append(f"event_type: lines with a negative {quantity} are read as refunds, others as purchases")
        return
    guessed = "purchase" if quantity and price else named if named not in (None, "ignore") else "view"
    if "coupon" in guess.look.path.name.lower():
        guessed = "click"
    guess.events["event_type"] = {"constant": guessed}
    may_say = [name for name, values in columns.items() if _filled(values) > 0.5 and _is_of_few_words(values)]
    told = (
        "no column says what happened" if not may_say else f"no word of {_some(may_say)} is known to say what happened"
    )
    guess.doubts.append(f"event_type: {told}; every line is read as a {guessed}")
    if guessed == "view" and _best(columns, "item_id", in_list=True) is None:
        guess.doubts.append(
            "event_type: no column names an item either; if this is a table beside the events (customers, consent, "
            "stock), give it that key in place of a feed"
        )
    if rating is not None:
        guess.doubts.append(f"{rating}: a high rating can be a further event, by derived")


def _best(columns: Mapping[str, Values], field_name: str, *, in_list: object = None) -> str | None:
    """Return the column whose name fits best, the fuller one of equals; in one list alone, where one is named."""
    ranked = []
    for place, (name, values) in enumerate(columns.items()):
        rank = field_rank(field_name, name)
        own = read_path(name).list_steps if is_path(name) and "[]" in name else None
        if rank is not None and (own is None or in_list is True or own == in_list):
            ranked.append((rank, own is None and in_list is not None, -_filled(values), place, name))
    return min(ranked)[-1] if ranked else None


def _put_ids(guess: FeedGuess, columns: Mapping[str, Values], arm: str | None) -> None:
    if "user_id" not in guess.events:
        _put_user(guess, columns)
    taken = {name for mapping in guess.events.values() if isinstance(mapping, dict) for name in _texts(mapping)}
    if "item_id" in guess.events:
        return
    item = _best(columns, "item_id", in_list=True) if guess.look.form is None else _best(columns, "item_id")
    if item is not None and len(places := _places_of_items(guess.look, columns, item)) > 1:
        guess.events["item_id"] = {"first_of": places}
        guess.doubts.append(f"item_id: lines name items in {_some(places)}; each may hold one of these")
    elif item is not None:
        guess.events["item_id"] = _with_second(columns, item, "item_id")
    elif arm is not None:
        guess.events["item_id"] = guess.events["action"] = {"column": arm, "required": True}
        guess.doubts.append(f"{arm}: read as what was decided; propensity: give it by a map, if the shares are known")
    else:
        ids = _ids_by_place(guess, columns, taken)
        for field_name, name in zip(("item_id", "category_id"), ids, strict=False):
            guess.events[field_name] = {"column": name} | ({"required": True} if field_name == "item_id" else {})
            guess.doubts.append(f"{field_name}: {name} is a guess by its place")


def _ids_by_place(guess: FeedGuess, columns: Mapping[str, Values], taken: Collection[str]) -> list[str]:
    """Return the columns that may name what a line is of: no visit, no other field, no count, no time that passed."""
    nested = guess.look.nested
    passed = {text for one in (guess.events["event_time"].get("offset", {}),) for text in _texts(one)}
    ids = [
        name
        for name, values in columns.items()
        if name not in {*taken, *passed}
        and not (names_a_visit(name) or (nested is not None and name in nested.once))
        and not any(field_rank(other, name) is not None for other in FIELD_WORDS if other not in _OF_ITEMS)
        and _is_id(values)
        and not _is_counter(values)
    ]
    # What a session's elements say differs from click to click, as items do.
    return sorted(ids, key=lambda name: nested is not None and not name.startswith(f"{nested.path}."))


def _places_of_items(look: FileLook, columns: Mapping[str, Values], item: str) -> list[str]:
    """Return where the lines of a log of objects name their items: in one list, in another, or beside them.

    Elements of lists come first: where a line names an item beside its list, the list says more.
    """
    found, held = [item], set(look.holders.get(item, ()))
    in_lists = set(held) if "[]" in item else set[int]()
    others = sorted((rank, name) for name in columns if (rank := field_rank("item_id", name)) is not None)
    for name in [*[name for _, name in others], *_of_the_same_values(columns, item)]:
        own = look.holders.get(name, frozenset())
        if _list_of(name) in map(_list_of, found) or not own - held or ("[]" in name and own & in_lists):
            continue
        found.append(name)
        held |= own
        in_lists |= own if "[]" in name else frozenset()
    lists = [name for name in found if "[]" in name]
    return [*lists, *[name for name in found if "[]" not in name]]


def _of_the_same_values(columns: Mapping[str, Values], item: str) -> list[str]:
    """Return the columns whose names say nothing, and whose values are nearly all of those that the items have."""
    items = set(_given(columns[item]))
    return [
        name
        for name, values in columns.items()
        if (own := set(_given(values)))
        and len(own) > _LEAST_SHARED
        and len(own & items) >= 0.8 * len(own)
        and not any(field_rank(field, name) is not None for field in FIELD_WORDS)
        and not _are_numbers(values)
    ]


def _list_of(column: str) -> object:
    return read_path(column).list_steps if is_path(column) and "[]" in column else None


def _put_user(guess: FeedGuess, columns: Mapping[str, Values]) -> None:
    used = guess.events["event_type"].get("column")
    top = {name: values for name, values in columns.items() if "[" not in name and name != used}
    nested = guess.look.nested
    beside = {name: values for name, values in top.items() if nested and not name.startswith(f"{nested.path}.")}
    user = _best_filled(beside, "user_id") or _best_filled(top, "user_id")
    if user is None:
        # A shopper belongs to the session; what its clicks say of ids is of items.
        top = beside if any(_repeats_as_ids_do(name, values) for name, values in beside.items()) else top
        has_names = guess.look.form is None or guess.look.form["has_header"]
        ids = [name for name, values in top.items() if _is_id(values) and not _is_counter(values)]
        rows = [name for name, values in top.items() if name in ("", "row", "index") and _is_unique(values)]
        if ids and not has_names:
            user = ids[0]
            guess.doubts.append(f"user_id: {user} is a guess by its place")
        elif rows:
            user = rows[0]
            guess.doubts.append("user_id: the log names no shopper; every line is read as one of its own")
            guess.events["decision_id"] = {"column": user, "required": True}
        elif repeating := _coming_again(top):
            user = repeating[0]
            guess.doubts.append(f"user_id: {user} is a guess by its values, which come again ({_some(repeating)} do)")
            guess.doubts += _doubt_of_visits(user)
        elif guess.look.form is not None:
            guess.form["line_number"] = user = "row"
            guess.events["decision_id"] = {"column": "row", "required": True}
            guess.doubts.append(
                "user_id: the log names no shopper; every line is read as one of its own, by its number"
            )
        else:
            user = next((name for name, values in top.items() if _may_outlive_visits(name, values)), next(iter(top)))
            guess.doubts.append(f"user_id: no column looks like a shopper; {user} is a placeholder")
            guess.doubts += _doubt_of_visits(user)
    mapping = _with_second(top, user, "user_id") if user in top else {"column": user}
    guess.events["user_id"] = mapping | {"required": True}
    guess.missing_share = 0.0 if user not in top or "first_of" in mapping else 1 - _named(top[user])
    order = _best({name: values for name, values in top.items() if name != user}, "order_id")
    if guess.missing_share > _FEW and order is not None:
        guess.doubts.append(
            f"user_id: {guess.missing_share:.0%} of the lines name no {user} and are rejected; where each {order} is a "
            f"shopper of its own then, write first_of: [{user}, {order}], or [{user}, [branch, till, {order}]] with "
            "the columns that tell it apart"
        )


def _named(values: Values) -> float:
    """Return the share of values that name somebody: what other tools write for nothing does not."""
    return sum(one is not None and one not in (*NULL_WORDS, *_OTHER_NULLS) for one in values) / max(1, len(values))


def _best_filled(columns: Mapping[str, Values], field_name: str) -> str | None:
    """Return the column whose name fits best, of those that are filled in most lines, where there are any."""
    full = {name: values for name, values in columns.items() if _filled(values) >= 0.5}
    return _best(full, field_name) or _best(columns, field_name)


def number_by_file(guess: FeedGuess) -> None:
    """Let lines that are numbered be known by their file as well: of several files each begins at 1."""
    number = guess.form.get("line_number")
    if number is None:
        return
    guess.form["file_name"] = name = "file" if "file" not in guess.look.columns else "file_of_line"
    for field_name in ("user_id", "decision_id"):
        mapping = guess.events.get(field_name, {})
        if mapping.get("column") == number:
            rest = {key: value for key, value in mapping.items() if key != "column"}
            guess.events[field_name] = {"columns": [name, number]} | rest


def _coming_again(columns: Mapping[str, Values]) -> list[str]:
    """Return the columns that may be shoppers by their values; keys of visits last, since shoppers outlive them."""
    found = [name for name, values in columns.items() if _repeats_as_ids_do(name, values)]
    return sorted(found, key=names_a_visit)


def _may_outlive_visits(name: str, values: Values) -> bool:
    """Return whether some values come again, too few for a key and too many for a word; in logs too short to tell."""
    given = _given(values)
    is_other = any(field_rank(field, name) is not None for field in FIELD_WORDS if field != "user_id")
    return not is_other and not names_a_visit(name) and _is_id(values) and len(given) / 4 < len(set(given)) < len(given)


def _doubt_of_visits(user: str) -> list[str]:
    if not names_a_visit(user):
        return []
    return [f"user_id: {user} reads as the key of a visit: every visit would be a shopper of its own, with no history"]


def _with_second(columns: Mapping[str, Values], column: str, field_name: str) -> dict[str, Any]:
    """Return the column; where it isn't always filled, the first of it and others that fit the field too."""
    values = columns[column]
    whole = _given(values)
    shape = {"whole": True} if whole and all(re.fullmatch(r"\d+\.0", one) for one in whole[:200]) else {}
    if _filled(values) >= 0.98 and "[]" not in column:
        return {"column": column} | shape
    lists = {read_path(column).list_steps} if is_path(column) and "[]" in column else set()
    ranked = sorted(
        (rank, name)
        for name in columns
        if name != column
        and (rank := field_rank(field_name, name)) is not None
        and ("[]" not in name or read_path(name).list_steps in lists)
        and name.rpartition(".")[0 if "[]" not in column else 2]
        == column.rpartition(".")[0 if "[]" not in column else 2]
        and _adds(columns, column, name)
    )
    if not ranked:
        return {"column": column} | shape
    return {"first_of": [column, ranked[0][1]]} | shape


def _adds(columns: Mapping[str, Values], column: str, other: str) -> bool:
    """Return whether the other column holds values where the first has none, as far as they can be compared."""
    first, second = columns[column], columns[other]
    if len(first) != len(second):
        return _filled(second) > 0
    return any(one is None and two is not None for one, two in zip(first, second, strict=True))


def _is_id(values: Values) -> bool:
    given = _given(values)
    return (
        bool(given)
        and (not any("." in one or " " in one for one in given) or _are_dotted_ids(given))
        and len(set(given)) > 1
        and _filled(values) > 0.5
        and len(set(given)) > min(10, len(given) / 10)
    )


def _are_dotted_ids(given: Sequence[str]) -> bool:
    """Return whether values with a dot are ids: whole numbers as floats, client ids of GA, or addresses of e-mail.

    >>> _are_dotted_ids(["17850.0"]), _are_dotted_ids(["104587234.1767607200"]), _are_dotted_ids(["12.50"])
    (True, True, False)
    """
    return any(all(form.fullmatch(one) for one in given) for form in _DOTTED_IDS)


def _repeats_as_ids_do(name: str, values: Values) -> bool:
    """Return whether a column that is no other field holds many values, most of them several times."""
    given = _given(values)
    is_other = any(field_rank(field, name) is not None for field in FIELD_WORDS if field != "user_id")
    return not is_other and len(given) >= 100 and _is_id(values) and len(set(given)) <= len(given) / 2


def _is_counter(values: Values) -> bool:
    """Return True where lines are numbered, throughout or anew in each list."""
    given = [int(one) for one in _given(values) if one.isascii() and one.isdigit()]
    if len(given) < len(values):
        return False
    n_next = sum(after == before + 1 for before, after in pairwise(given))
    n_begun = sum(after in (0, 1) and after != before + 1 for before, after in pairwise(given))
    return n_next + n_begun == len(given) - 1 and n_next >= n_begun


def _is_unique(values: Values) -> bool:
    given = _given(values)
    return len(given) == len(values) > 1 and len(set(given)) == len(given)


def _put_optional(guess: FeedGuess, columns: Mapping[str, Values]) -> None:
    item = guess.events.get("item_id", {})
    origin = item.get("column") or (item.get("first_of") or [""])[0]
    steps = read_path(origin).list_steps if guess.look.form is None and "[]" in origin else None
    used = {one for name in ("user_id", "item_id") for one in (guess.events.get(name, {}).get("column"),)}
    sells = bool({"purchase", "refund"} & set(guess.kinds))
    if sells:
        used |= _put_order(guess, columns, steps)
    for field_name in _OPTIONAL:
        beside_items = _siblings(columns, item, field_name)
        name = _best(columns, field_name, in_list=steps) or next(iter(beside_items), None)
        if name is None or name in used or field_name in guess.events:
            continue
        if field_name == "event_id" and "[" in name:
            continue
        bounds = dict(_NUMBERS.get(field_name, {}))
        if bounds and _have_commas(columns[name]):
            bounds |= {"decimal_comma": True}
        elif bounds and not _are_numbers(columns[name]):
            guess.doubts.append(f"{field_name}: {name} holds more than numbers; left out")
            continue
        if beside_items and ("[]" not in name or name in beside_items):
            places = [*beside_items, *([] if name in beside_items else [name])]
            guess.events[field_name] = ({"first_of": places} if len(places) > 1 else {"column": name}) | bounds
        else:
            guess.events[field_name] = _with_second(columns, name, field_name) | bounds
    _put_money(guess, columns)
    if sells:
        _put_costs(guess, columns, steps)
    _put_scales(guess, columns)


def _siblings(columns: Mapping[str, Values], item: Mapping[str, Any], field_name: str) -> list[str]:
    """Return the columns of a field that stand beside items in lists, where lines name items in several places."""
    places = [one for one in item.get("first_of", ()) if isinstance(one, str) and "[]" in one]
    return [
        one
        for place in places
        for one in columns
        if one.rpartition(".")[0] == place.rpartition(".")[0] and field_rank(field_name, one) is not None
    ]


def _put_order(guess: FeedGuess, columns: Mapping[str, Values], steps: object) -> set[str | None]:
    """Map what names the order of a purchase, which refunds find it by; return its column."""
    taken = {guess.events.get(one, {}).get("column") for one in ("user_id", "item_id", "decision_id", "event_type")}
    name = _best({one: values for one, values in columns.items() if one not in taken}, "order_id", in_list=steps)
    if name is None or "order_id" in guess.events:
        return set()
    own = _return_number(guess, columns, name)
    guess.events["order_id"] = {"column": name} if own is None else {"first_of": [own, name]}
    if own is not None:
        guess.doubts.append(
            f"order_id: {own} is taken for the purchase's order that a return names, before {name}, its own number"
        )
        return {own, name}
    if "refund" in guess.kinds and (n := _n_returns_of_their_own(guess, columns, name)):
        guess.doubts.append(
            f"order_id: {n} orders hold refunds and no purchase: if returns have numbers of their own, name the column "
            f"with the purchase's first, as first_of: [purchase_number, {name}], or leave order_id out"
        )
    guess.doubts.append(f"order_id: {name} is taken for the order that refunds and several lines of a purchase share")
    return {name}


def _return_number(guess: FeedGuess, columns: Mapping[str, Values], order: str) -> str | None:
    """Return the column in which a return names the order of its purchase; None where there is none."""
    if "refund" not in guess.kinds:
        return None
    orders = set(_given(columns[order]))
    for name, values in columns.items():
        given = set(_given(values))
        is_of_few = 0 < _filled(values) < 0.9
        if name != order and is_of_few and _ORIGINAL.search(name.lower()) and 2 * len(given & orders) >= len(given):
            return name
    return None


def _n_returns_of_their_own(guess: FeedGuess, columns: Mapping[str, Values], order: str) -> int:
    """Return how many orders hold refunds alone, as far as lines can be compared; few are of purchases long ago."""
    origin = guess.events["event_type"]
    column = origin.get("column")
    if column not in columns or len(columns[column]) != len(columns[order]):
        return 0
    bought, returned = set[str](), set[str]()
    for word, name in zip(columns[column], columns[order], strict=True):
        kind = _kind_of(word, origin) if word is not None else None
        if name is not None and kind in ("purchase", "refund"):
            (returned if kind == "refund" else bought).add(name)
    unknown = returned - bought
    return len(unknown) if bought and len(unknown) >= max(2, 0.5 * len(returned)) else 0


def _kind_of(word: str, origin: Mapping[str, Any]) -> str | None:
    if "map" in origin:
        kinds: Mapping[str, str] = origin["map"]
        return kinds.get(word)
    return next((rule["type"] for rule in origin.get("match", ()) if re.fullmatch(rule["pattern"], word)), None)


def _put_costs(guess: FeedGuess, columns: Mapping[str, Values], steps: object) -> None:
    """Map what all pieces cost the shop, and what was taken off before paying."""
    quantity = guess.events.get("quantity", {}).get("column")
    for field_name in ("cost", "discount"):
        name = _best(columns, field_name, in_list=steps)
        if (
            name is None
            or field_name in guess.events
            or not (_are_numbers(columns[name]) or _have_commas(columns[name]))
        ):
            continue
        mapping: dict[str, Any] = {"column": name} | _signs(columns[name])
        if field_name == "cost" and quantity is not None:
            mapping |= {"times": quantity}
            guess.doubts.append(f"cost: {name} is read as that of one piece; of all pieces, take times away")
        guess.events[field_name] = mapping


def _doubt_nothing_sold(guess: FeedGuess, columns: Mapping[str, Values]) -> None:
    """Say that lines of no piece are taken as events, where there are some and one can be a sale."""
    column = str(guess.events.get("quantity", {}).get("column", ""))
    numbers = [exact_decimal(one) for one in _given(columns.get(column, []))]
    n_nothing = sum(one == 0 for one in numbers)
    if n_nothing and not {"purchase", "refund"}.isdisjoint(guess.kinds):
        guess.doubts.append(
            f"quantity: {n_nothing} of {len(numbers)} lines say 0 pieces in {column}, and are read as what the others "
            "are; write above: 0 in place of at_least to reject them"
        )


def _signs(values: Values) -> dict[str, Any]:
    """Return how amounts are read that may be written with a minus, or with a decimal comma."""
    has_minus = any(one.startswith("-") for one in _given(values))
    bounds: dict[str, Any] = {"absolute": True} if has_minus else {"at_least": 0}
    return bounds | ({"decimal_comma": True} if _have_commas(values) else {})


def _are_numbers(values: Values) -> bool:
    given = _given(values)
    return sum(exact_decimal(one) is not None for one in given) >= 0.8 * len(given)


def _have_commas(values: Values) -> bool:
    given = _given(values)
    is_read = [re.fullmatch(r"-?[\d.]*\d(,\d+)?", one) is not None for one in given]
    return any("," in one for one in given) and sum(is_read) >= 0.8 * len(given)


def _put_money(guess: FeedGuess, columns: Mapping[str, Values]) -> None:
    price, quantity = guess.events.get("price"), guess.events.get("quantity")
    if price is None:
        if quantity is not None and _has_minus(columns, quantity):
            quantity["absolute"] = True
        return
    column = price.get("column") or price["first_of"][0]
    if not is_of_a_piece(column) and quantity is not None and "column" in quantity:
        price["divided_by"] = quantity["column"]
        guess.events["amount"] = {"column": column} | _signs(columns[column])
        guess.doubts.append(f"price: {column} is read as the sum of all pieces, and so as the amount too")
    if quantity is not None and _has_minus(columns, quantity):
        quantity |= {"absolute": True}
        if "divided_by" in price:  # a sum without a sign, divided by pieces with one
            price.pop("at_least", None)
            price["absolute"] = True
    refunded = next((name for name in columns if re.fullmatch(r"refunded?[ _]?amount", name.lower())), None)
    if refunded is not None:
        own = {"price": {"column": refunded, "above": 0}, "quantity": {"constant": 1}, "without": ["item_id"]}
        sign = {"column": refunded, "match": r"(?!0*(\.0*)?$).*", "type": "refund"}
        guess.events["derived"] = [*guess.events.get("derived", []), sign | own]


def _has_minus(columns: Mapping[str, Values], mapping: Mapping[str, Any]) -> bool:
    return any(one.startswith("-") for one in _given(columns.get(mapping.get("column", ""), [])))


def _put_scales(guess: FeedGuess, columns: Mapping[str, Values]) -> None:
    """Turn amounts into units whose names say cents, and ask where their values look like cents."""
    asked = set[str]()
    for field_name in MONEY_FIELDS:
        mapping = guess.events.get(field_name, {})
        column = str(mapping.get("column") or (mapping.get("first_of") or [""])[0])
        if column not in columns:
            continue
        if is_in_minor_units(column):
            mapping["scale"] = 0.01
            guess.doubts.append(f"{field_name}: {column} is read as hundredths of the currency (scale), by its name")
        elif _look_like_cents(columns[column]) and column not in asked:
            asked.add(column)
            guess.doubts.append(
                f"{field_name}: {column} holds whole numbers from 100 on; are they cents? then add scale: 0.01"
            )


def _look_like_cents(values: Values) -> bool:
    """Return whether amounts are whole numbers, and hardly one of them is below 100."""
    given = _given(values)
    numbers = [one for text in given if (one := exact_decimal(text)) is not None]
    if len(numbers) < max(_LEAST_AMOUNTS, 0.8 * len(given)):
        return False
    is_whole = all(one == one.to_integral_value() for one in numbers)
    return is_whole and sum(abs(one) >= 100 for one in numbers if one) >= 0.9 * sum(one != 0 for one in numbers) > 0


def _put_fill_down(guess: FeedGuess) -> None:
    """Fill columns down whose empty cells all stand below a line that shares another column's value."""
    columns, form = guess.look.columns, guess.look.form
    if form is None or not form["has_header"]:
        return
    mapped = [
        guess.events[name].get("column")
        for name in ("event_time", "user_id", "currency")
        if guess.events.get(name, {}).get("column") in columns
    ]
    gaps = [name for name in mapped if None in columns[name]]
    for key, values in columns.items():
        if key in mapped or _filled(values) < 1 or not gaps:
            continue
        repeats = {place for place in range(1, len(values)) if values[place] == values[place - 1]}
        filled = [name for name in gaps if {n for n, one in enumerate(columns[name]) if one is None} <= repeats]
        if guess.events["event_time"].get("column") in filled and len(set(values)) > 1:
            guess.form["fill_down"] = {"by": key, "columns": mapped}
            guess.doubts.append(f"fill_down: lines with the same {key} are taken for one order")
            return


def _put_nulls(guess: FeedGuess) -> None:
    mapped = {text for mapping in guess.events.values() if isinstance(mapping, dict) for text in _texts(mapping)}
    found = {one for name in mapped for one in guess.look.columns.get(name, []) if one in _OTHER_NULLS}
    if found:
        guess.null_words = [*sorted(found), *NULL_WORDS]


def _texts_below(value: Any) -> list[str]:
    """Return all texts of a mapping, however deep."""
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in _texts_below(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts_below(one)]
    return [value] if isinstance(value, str) else []


def _texts(mapping: Mapping[str, Any]) -> list[str]:
    return [
        text
        for value in mapping.values()
        for text in (value if isinstance(value, list) else [value])
        if isinstance(text, str)
    ]
