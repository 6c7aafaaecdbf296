"""The draft of a source for files that were looked at, as YAML with a comment wherever it is unsure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from conf.file_dates import date_in
from conf.specs.source import Source
from conf.specs.strict_yaml import parse_model, yaml_name
from jobs.errors import DeliveryError
from jobs.parsing.time_reading import TimeReader
from jobs.proposal.currency_guesses import currency_lines
from jobs.proposal.feed_guesses import FeedGuess, guess_feed, number_by_file
from jobs.proposal.file_days import day_patterns
from jobs.proposal.file_groups import FileGroup, group_files, plain_name, with_strays
from jobs.proposal.file_looks import FileLook, header_told, joined, look_at
from jobs.proposal.session_hours import day_of, hours_past, times_of_sessions
from jobs.proposal.side_guesses import guess_consent, guess_items, guess_rates, leading_currency
from jobs.proposal.time_guesses import is_local

_DECIDING = ("impression", "view", "purchase", "cart", "click")


def propose(paths: Sequence[Path], name: str | None = None) -> str:
    """Return the draft as the text of a YAML file that loads, once `zone` is answered where it asks for it.

    Args:
        paths: files, or folders of files.
        name: what the source is to be called; left out, as the first path is.

    Raises:
        DeliveryError: no file, one that no source reads, or none whose lines look like events.
        SpecError: the name can't be a source's.
    """
    alike = group_files(_files(paths))
    looks = {pattern: _look(group.files) for pattern, group in alike.items()}
    groups = with_strays(alike, looks)
    looks = {pattern: looks[pattern] for pattern in groups}
    guesses = {pattern: guess_feed(look) for pattern, look in looks.items()}
    for pattern, guess in guesses.items():
        # A name with a number in it has others to come.
        if guess is not None and (len(groups[pattern].files) > 1 or "*" in pattern.removeprefix("**/")):
            number_by_file(guess)
    sides = _sides(looks, guesses) if len(looks) > 1 else {}
    found = {pattern: guess for pattern, guess in guesses.items() if guess is not None and pattern not in sides}
    if not found:
        told = "; ".join(f"{look.name} ({header_told(look)})" for look in [*looks.values()][:5])
        raise DeliveryError(f"{told}: no column holds a time, so no line looks like an event")
    unread = [pattern for pattern, guess in guesses.items() if guess is None and pattern not in sides]
    text = _text(name or _name_of(paths[0]), found, {pattern: groups[pattern] for pattern in found}, unread)
    first = _first_delivery(found, groups)
    of_sides = [line for name, (_, lines) in sides.items() for line in _with_delivered(lines, groups[name], first)]
    if not any(line.startswith("currency:") for line in of_sides):
        of_sides += currency_lines(list(found.values()))
    text += "".join(f"{line}\n" for line in of_sides)
    content = yaml.safe_load(text)
    parse_model(Source, content | {"zone": content["zone"] or "UTC"}, "the draft")
    return text


def _sides(looks: Mapping[str, FileLook], guesses: Mapping[str, FeedGuess | None]) -> dict[str, tuple[str, list[str]]]:
    """Return the tables beside the events by pattern, each with its key and lines; of each kind the first."""
    found: dict[str, tuple[str, list[str]]] = {}
    for pattern, look in looks.items():
        if (rates := guess_rates(look, guesses[pattern])) is not None:
            others = [guess for name, guess in guesses.items() if guess is not None and name != pattern]
            one = "currencies", _rates_lines(pattern, *rates, look, others)
        elif (consent := guess_consent(look, guesses[pattern])) is not None:
            one = "consent", _consent_lines(pattern, *consent, look)
        elif (table := guess_items(look, guesses[pattern])) is not None:
            one = "items", _items_lines(pattern, table, look)
        else:
            continue
        if one[0] and one[0] in [key for key, _ in found.values()]:
            one = "", [f"# not read: {pattern} looks like {one[0]} too, and a source has one such table"]
        found[pattern] = one
    return found


def _first_delivery(found: Mapping[str, FeedGuess], groups: Mapping[str, FileGroup]) -> date | None:
    """Return the first day that a file of the feeds names; None where the lines of one say theirs."""
    days = []
    for pattern, guess in found.items():
        delivery = _delivery(guess, groups[pattern])
        if delivery["layout"] != "dated_files":
            return None
        days += [date_in(name, delivery["date_pattern"]) for _, name in groups[pattern].files]
    return min((day for day in days if day is not None), default=None)


def _rates_lines(
    pattern: str, table: dict[str, Any], column: str, look: FileLook, others: Sequence[FeedGuess]
) -> list[str]:
    currency = leading_currency(look, column, others)
    files = f"currencies: {_flow({'files': [pattern]} | table)}"
    if currency is None:
        return [f"# rates of exchange: add currency, the one that they convert into, and {files}"]
    lines = [f"currency: {currency}  # unsure: the one that the rates convert into"]
    if not table:
        return [*lines, files]
    rate = table["columns"]["rate"]["column"]
    why = f"read as rates of exchange: {rate} is what one unit of {column} is worth in {currency}"
    return [*lines, *_side_lines("currencies", pattern, table, look, why)]


def _items_lines(pattern: str, table: dict[str, Any], look: FileLook) -> list[str]:
    why = "read as a table of items, not as a log: it names items, and neither a shopper nor an event"
    return _side_lines("items", pattern, table, look, why)


def _with_delivered(lines: list[str], group: FileGroup, first: date | None) -> list[str]:
    """Return a table's lines with the day from which it counts, where feeds' files name their days and it doesn't."""
    has_day = any(next(day_patterns([name]), None) for _, name in group.files)
    if lines[-1].startswith(("#", "currencies:")) or first is None or has_day:
        return lines
    why = "the day before the first delivery: no path says when the table came"
    return [*lines, f"  delivered: {first - timedelta(days=1)}  # unsure: {why}"]


def _consent_lines(pattern: str, table: dict[str, Any], why: str, look: FileLook) -> list[str]:
    if table.get("unlisted") == "given":
        others = (
            "it lists those alone who opted out, so that who has no line there counts as consenting (unlisted: given)"
        )
    else:
        others = "who has no line there counts as not asked, and isn't learned from"
    why = f"read as consents, not as a log: {why}; {others}"
    return _side_lines("consent", pattern, table, look, why)


def _side_lines(key: str, pattern: str, table: dict[str, Any], look: FileLook, why: str) -> list[str]:
    lines = [f"# unsure: {why}"]
    time = table.get("valid_from", {})
    mapped = {time.get("column"), *time.get("columns", ()), *(one.get("column") for one in table["columns"].values())}
    if unmapped := [name for name in look.columns if name and name not in mapped]:
        lines.append(f"# unsure: {key}: mapped to nothing: {', '.join(unmapped[:15])}")
    return [*lines, f"{key}:", *[f"  {name}: {_flow(value)}" for name, value in ({"files": [pattern]} | table).items()]]


def _look(files: Sequence[tuple[Path, str]]) -> FileLook:
    """Return a look at the first of a log's files, the one in the middle and the last."""
    places = sorted({0, len(files) // 2, len(files) - 1})
    looks = [look_at(*files[place]) for place in places]
    # The file of a day on which the shop is closed has a header alone, perhaps below a title that passes for one.
    fullest = max(looks, key=lambda look: look.n_records)
    looks = [
        look for look in looks if look.n_records and (look is fullest or look.columns.keys() & fullest.columns)
    ] or [fullest]
    return reduce(joined, [look for look in looks if (look.nested is None) == (looks[0].nested is None)])


def _files(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    found = []
    for path in paths:
        if not path.exists():
            raise DeliveryError(f"{path}: no such file or folder; name the shop's files with FILES")
        below = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        names = [one.relative_to(path).as_posix() if path.is_dir() else path.name for one in below]
        found += [
            (one, name)
            for one, name in zip(below, names, strict=True)
            if not name.rpartition("/")[2].startswith((".", "_"))
        ]
    if not found:
        raise DeliveryError(f"{', '.join(map(str, paths))}: no file in it")
    return found


def _name_of(path: Path) -> str:
    stem = path.resolve().name.partition(".")[0]
    plain = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"shop_{plain}".rstrip("_")


def _text(
    name: str,
    found: dict[str, FeedGuess],
    groups: Mapping[str, FileGroup],
    unread: Sequence[str],
) -> str:
    lines = [
        "# A draft from a look at the files: read it, mend it, then make check-source.",
        f"name: {yaml_name(name)}",
        f"title: {name}, proposed by make source",
        _zone_line(list(found.values())),
    ]
    feeds = [_feed_lines(guess, groups[pattern]) for pattern, guess in found.items()]
    if len(feeds) == 1:
        lines += feeds[0]
    else:
        lines.append("feeds:")
        for feed_name, feed in zip(_feed_names(list(found)), feeds, strict=True):
            lines += [f"  - name: {yaml_name(feed_name)}", *[f"    {line}" for line in feed]]
    return "\n".join([*lines, *_shared_lines(list(found.values()), unread)]) + "\n"


def _zone_line(guesses: Sequence[FeedGuess]) -> str:
    """Return the line on the zone: without a value, where a wrong one would shift the times themselves."""
    asked = "asked: in which zone do the shop's days begin"
    if any(is_local(guess.events["event_time"], guess.look.columns) for guess in guesses):
        return f"zone:  # {asked}, and times stand that name none? as Europe/Berlin"
    return f"zone: UTC  # {asked}? as Europe/Berlin; where files are cut at another midnight, their evenings are lost"


def _feed_names(patterns: Sequence[str]) -> list[str]:
    """Return a name for each feed; of logs that are called alike the later ones are numbered."""
    names = list[str]()
    for pattern in patterns:
        name, number = plain_name(pattern), 2
        while name in names:
            name, number = f"{plain_name(pattern)}_{number}", number + 1
        names.append(name)
    return names


def _feed_lines(guess: FeedGuess, group: FileGroup) -> list[str]:
    look = guess.look
    lines = [f"format: {look.format}  # {look.name}: {look.n_records} records looked at"]
    if look.form is not None:
        lines.append(f"csv: {_flow(guess.form)}")
    if look.nested is not None:
        lines.append(f"unnest: {look.nested.path}  # each element is a line: they have times of their own")
    if look.encoding != "utf-8":
        lines.append(f"encoding: {look.encoding}  # unsure: bytes that aren't UTF-8")
    delivery = _delivery(guess, group)
    lines += [f"delivery: {_flow(delivery)}", *_hours_lines(guess, group, delivery)]
    if guess.null_words:
        lines.append(f"null_words: {_flow(guess.null_words)}")
    if guess.missing_share > 0.15:
        share = min(0.95, round(guess.missing_share + 0.3, 1))
        lines.append(f"max_rejected_share: {share}  # {guess.missing_share:.0%} of the lines name no shopper")
    lines += [f"# unsure: {doubt}" for doubt in [*group.doubts(), *guess.doubts]]
    lines += [f"# asked: {question}" for question in guess.questions]
    return [*lines, "events:", *[f"  {field}: {_flow(mapping)}" for field, mapping in guess.events.items()]]


def _delivery(guess: FeedGuess, group: FileGroup) -> dict[str, Any]:
    files = group.files
    looked_at = [files[place] for place in sorted({0, len(files) // 2, len(files) - 1})]
    for pattern in day_patterns([name for _, name in files]):
        if all(_fits(guess, file, date_in(file[1], pattern)) for file in looked_at):
            return {"layout": "dated_files", "date_pattern": pattern, "files": group.patterns}
    return {"layout": "by_event_date", "files": group.patterns}


def _hours_lines(guess: FeedGuess, group: FileGroup, delivery: Mapping[str, Any]) -> list[str]:
    """Return the line on hours past the day, where daily files hold sessions that go on after midnight."""
    if guess.look.nested is None or delivery["layout"] != "dated_files":
        return []
    places = sorted({0, len(group.files) // 2, len(group.files) - 1})
    found = [hours_past(_sessions(guess, group.files[place])) for place in places]
    if not (hours := max(found)):
        return []
    return [
        f"hours_past_day: {hours}  # unsure: as long as sessions last; what follows midnight lies in their day's file"
    ]


def _fits(guess: FeedGuess, file: tuple[Path, str], day: date | None) -> bool:
    """Return whether the file's events happened on the day its name says, or the day before; sessions began then."""
    days = [day_of(times[0]) for times in _sessions(guess, file)]
    return day is not None and bool(days) and sum((day - one).days in (0, 1) for one in days) >= 0.95 * len(days)


def _sessions(guess: FeedGuess, file: tuple[Path, str]) -> list[list[int]]:
    """Return the times of each session that a look at the file shows, ascending; of a line that is none its own."""
    mapping = parse_model(Source, _alone(guess), "the draft").events.event_time
    reader = TimeReader(mapping, "UTC", mapping.raw_columns)
    look = look_at(*file)
    rows = zip(*[look.columns.get(name, [None] * look.n_records) for name in mapping.raw_columns], strict=False)
    given = [reader.text(row) for row in rows]
    micros = [reader.read(one) if one is not None else None for one in given]
    lengths = look.lengths if guess.look.nested is not None and look.lengths else (1,) * len(micros)
    return times_of_sessions(micros, lengths)


def _alone(guess: FeedGuess) -> dict[str, Any]:
    content = {"name": "draft", "title": "draft", "format": guess.look.format, "events": guess.events}
    content |= {"csv": guess.form} if guess.look.form is not None else {}
    rule = {"gap_minutes": 30, "max_hours": 4}
    decided = {"kind": "implied", "event_type": "view"}
    layout = {"layout": "by_event_date"}
    return content | {"delivery": layout, "duplicates": "keep", "session": rule, "decisions": decided}


def _shared_lines(guesses: Sequence[FeedGuess], unread: Sequence[str]) -> list[str]:
    kinds = {kind for guess in guesses for kind in guess.kinds}
    decided = next((kind for kind in _DECIDING if kind in kinds), "view")
    is_logged = decided == "impression"
    why = "what was shown was logged" if is_logged else "nothing says what was shown: the verdict is always to abstain"
    has_ids = all("event_id" in guess.events for guess in guesses)
    lines = [
        "duplicates: reject  # an event that was delivered twice"
        if has_ids
        else "duplicates: keep  # unsure: equal lines may be one event",
        "lateness_days: 1",
        "session: {gap_minutes: 30, max_hours: 4}",
        f"decisions: {{kind: {'logged' if is_logged else 'implied'}, event_type: {decided}}}  # {why}",
    ]
    if unread:
        lines.append(f"# not read, since no column holds a time (a table of items?): {', '.join(unread)}")
    return lines


def _flow(value: Any) -> str:
    plain = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=100_000, allow_unicode=True)
    return plain.removesuffix("\n...\n").strip()
