"""What each canonical field of a record is, read from the record's raw values as the source's mapping says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from conf.specs.event_mapping import DerivedEvent, EventTypeMapping, IgnoredLines
from conf.specs.field_mapping import FieldMapping, NumberMapping
from jobs.parsing.exact_numbers import FRACTION, is_fraction, stored_number
from jobs.parsing.raw_values import Structure, UnfitValue, id_text
from jobs.parsing.record_cutting import Values

Given = TypeVar("Given")

_MOST_REMEMBERED = 100_000

# What a path says, by its pattern.
PathValues = Mapping[str, str | None]


class FieldReader:
    """Reads a mapped field's raw value; null where the record has none.

    places: of the values of a record that it is read from.
    """

    def __init__(self, mapping: FieldMapping, columns: Sequence[str]) -> None:
        self.mapping = mapping
        self._constant = str(mapping.constant) if mapping.constant is not None else None
        self._ways = [[columns.index(name) for name in names] for names in mapping.alternatives]
        self.places = [place for way in self._ways for place in way]
        self._pattern = re.compile(mapping.extract) if mapping.extract is not None else None
        self._is_shaped = mapping.extract is not None or mapping.map is not None or mapping.fold_case

    @property
    def is_as_delivered(self) -> bool:
        """Whether text is the id as it stands."""
        return len(self.places) == 1 and not self._is_shaped and not self.mapping.whole

    def value(self, values: Values, path: PathValues) -> str | None:
        """Return the value of a number or flag.

        Raises:
            UnfitValue: a list or an object stands there, or what the mapping doesn't know.
        """
        return self._joined(values, path, _as_it_is)

    def id(self, values: Values, path: PathValues) -> str | None:
        """Return the value as an id: one id, whether delivered as a whole number, a float or text.

        Raises:
            UnfitValue: it is there and can't be an id.
        """
        is_whole = self.mapping.whole
        return self._joined(values, path, lambda value: id_text(value, is_whole=is_whole))

    def _joined(self, values: Values, path: PathValues, read: Callable[[str], str]) -> str | None:
        if self._constant is not None:
            return self._constant or None
        if self.mapping.from_path is not None:
            return path[self.mapping.from_path]
        for way in self._ways:
            whole = [one for place in way if (one := values[place]) is not None]
            if len(whole) == len(way):
                value = read(whole[0]) if len(way) == 1 else self.mapping.separator.join(map(read, whole))
                return self._shaped(value) if self._is_shaped else value
        return None

    def _shaped(self, value: str) -> str | None:
        if self._pattern is not None:
            found = self._pattern.search(value)
            if found is None or found.group(1) is None:
                raise UnfitValue
            value = found.group(1).strip(" ")
        value = value.casefold() if self.mapping.fold_case else value
        if self.mapping.map is not None:
            if value not in self.mapping.map:
                raise UnfitValue
            return self.mapping.map[value]
        return value or None


class NumberReader(FieldReader):
    """Reads a number as it is stored."""

    def __init__(self, name: str, mapping: NumberMapping, columns: Sequence[str]) -> None:
        super().__init__(mapping, columns)
        self._name, self._mapping = name, mapping
        other = mapping.times or mapping.divided_by
        self._other_place = columns.index(other) if other is not None else None
        self._stored = remembered(lambda text: stored_number(text, name, mapping))

    @property
    def counts_by_value(self) -> bool:
        """Whether numbers of equal value are one, however they are written."""
        return not self._mapping.decimal_comma

    @property
    def every_place(self) -> list[int]:
        """Places of the values that the number is read from: its own, and of what multiplies or divides it."""
        return self.places if self._other_place is None else [*self.places, self._other_place]

    def number(self, text: str, values: Values) -> int | Decimal | None:
        """Return the number a raw value stands for, None where it can't be stored."""
        if self._other_place is None:
            return self._stored(text)
        return stored_number(text, self._name, self._mapping, values[self._other_place])

    def named(self, text: str, values: Values) -> str:
        """Return the field's name for a value that can't be stored, and whether it is a fraction of a whole."""
        other = values[self._other_place] if self._other_place is not None else None
        return self._name + (FRACTION if is_fraction(text, self._name, self._mapping, other) else "")


class TypeReader:
    """Reads the event type; `places` are those of the values of a record that it is read from."""

    def __init__(self, mapping: EventTypeMapping, columns: Sequence[str]) -> None:
        self._constant = mapping.constant
        self.places = [columns.index(name) for name in mapping.raw_columns]
        rules = [(re.compile(f"^(?:{rule.pattern})$"), rule.type) for rule in mapping.match or ()]
        known = mapping.map

        def of_value(value: str) -> str | None:
            if known is not None:
                return known.get(value)
            return next((type_ for pattern, type_ in rules if pattern.search(value)), None)

        self._type_of = remembered(of_value)
        ignored = [re.compile(f"^(?:{one})$") for one in mapping.ignore] if mapping.match is not None else []
        self._is_ignored = remembered(
            lambda value: value in mapping.ignore or any(pattern.search(value) for pattern in ignored)
        )
        self._ignores = bool(mapping.ignore)

    def value(self, values: Values) -> str | None:
        """Return what the record says of its type, as delivered."""
        return next((values[place] for place in self.places if values[place] is not None), self._constant)

    def is_ignored(self, values: Values) -> bool:
        """Return whether the source says that records of this type mean nothing."""
        if not self._ignores:
            return False
        value = self.value(values)
        return value is not None and self._is_ignored(value)

    def type_of(self, value: str) -> str | None:
        """Return the event type a raw value stands for, None for one the source doesn't know."""
        return self._type_of(value) if self.places else value


class IgnoreReader:
    """Reads whether a column says that a record means nothing; `place` is that of its value among the record's."""

    def __init__(self, mapping: IgnoredLines, columns: Sequence[str]) -> None:
        self.place, self.column = columns.index(mapping.column), mapping.column
        pattern = re.compile(mapping.match) if mapping.match is not None else None
        self._is_one = remembered(
            lambda value: value in mapping.values or (pattern is not None and pattern.fullmatch(value) is not None)
        )

    def holds(self, sign: str | None) -> bool:
        """Return whether a value says so."""
        return sign is not None and self._is_one(sign)


class DerivedReader:
    """Reads whether a record holds a further event, and what differs from its own.

    place: of the value of a record that tells; type: of the further event; is_alike: nothing else differs.
    """

    def __init__(self, mapping: DerivedEvent, columns: Sequence[str]) -> None:
        self.place, self.type, self._without = columns.index(mapping.column), mapping.type, mapping.without
        pattern = re.compile(mapping.match) if mapping.match is not None else None
        self._is_one = remembered(
            lambda value: value in mapping.values or (pattern is not None and pattern.fullmatch(value) is not None)
        )
        self._numbers = {name: NumberReader(name, one, columns) for name, one in mapping.numbers.items()}
        self.is_alike = not self._numbers and not mapping.without

    def holds(self, sign: str | None) -> bool:
        """Return whether a value tells of a further event."""
        return sign is not None and self._is_one(sign)

    def fields(self, values: Values, path: PathValues, own: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the further event's fields, None where there is none.

        Raises:
            UnfitNumber: a number of its own that can't be stored.
        """
        if not self.holds(values[self.place]):
            return None
        found = {**own, "event_type": self.type} | dict.fromkeys(self._without)
        if self._numbers:
            found["amount"] = None  # the line's own is that of other pieces
        for name, reader in self._numbers.items():
            given = reader.value(values, path)
            found[name] = reader.number(given, values) if given is not None else None
            if given is not None and found[name] is None:
                raise UnfitNumber(reader.named(given, values), given)
        return found


class UnfitNumber(UnfitValue):
    """A further event's number that can't be stored."""

    def __init__(self, name: str, given: str) -> None:
        super().__init__(name)
        self.name, self.given = name, given


def remembered(read: Callable[[str], Given]) -> Callable[[str], Given]:
    """Return the function with its answers remembered: columns repeat their values."""
    known: dict[str, Given] = {}

    def look_up(value: str) -> Given:
        if value not in known:
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            known[value] = read(value)
        return known[value]

    return look_up


def path_values(patterns: Sequence[str], name: str) -> PathValues:
    """Return what a delivered file's relative path says for each pattern; null where it doesn't match."""
    found = {pattern: re.search(pattern, name) for pattern in patterns}
    texts = {pattern: (match.group(1) or "").strip(" ") if match else "" for pattern, match in found.items()}
    return {pattern: text or None for pattern, text in texts.items()}


def _as_it_is(value: str) -> str:
    if isinstance(value, Structure):
        raise UnfitValue
    return value
