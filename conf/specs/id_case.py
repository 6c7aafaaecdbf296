"""Whether a source's logs tell capitals in an id from small letters: whoever is given a raw id reads it as they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conf.specs.field_mapping import FieldMapping
from conf.specs.source import Source


@dataclass(frozen=True)
class IdCase:
    """How the places of a source that hold one kind of id read its capitals.

    Attributes:
        folded: feeds and tables that read them as small letters.
        as_written: feeds and tables that keep them.
    """

    folded: tuple[str, ...]
    as_written: tuple[str, ...]

    def read(self, given: str) -> str | None:
        """Return the id as the logs' readers write it; None where it has capitals and they write it in two ways."""
        small = given.casefold()
        if not self.folded or small == given:
            return given
        return None if self.as_written else small

    @property
    def told_apart(self) -> str:
        """What is wrong where ids are written in two ways, and what to do about it."""
        return (
            f"has capitals, which {', '.join(self.folded)} read as small letters (fold_case) and "
            f"{', '.join(self.as_written)} as they are, so that it names two; give the source `fold_case: true` there, "
            "too, or send small letters"
        )


def id_case(source: Source, field: str) -> IdCase:
    """Return how a source's feeds and side tables read the capitals of an id.

    A log of decisions whose ids are pseudonyms, a constant and what a path says have no say.

    Args:
        source: as it is loaded.
        field: of an event, such as `user_id`; side tables have it under the same name.
    """
    of_tables = tables_case(source, dict.fromkeys(source.side_tables, field))
    of_feeds = feeds_case(source, field)
    return IdCase((*of_feeds.folded, *of_tables.folded), (*of_feeds.as_written, *of_tables.as_written))


def feeds_case(source: Source, field: str) -> IdCase:
    """Return how a source's feeds read the capitals of a field of their events."""
    mapped = {
        f"feed {name}" if source.feeds else "events": getattr(feed.events, field)
        for name, feed in source.feeds_alone().items()
    }
    return _read_by({name: one for name, one in mapped.items() if not getattr(one, "is_pseudonym", False)})


def tables_case(source: Source, columns: Mapping[str, str]) -> IdCase:
    """Return how a source's side tables read the capitals of a column, named by table."""
    known = source.side_tables
    return _read_by(
        {f"table {name}": known[name].columns.get(column) for name, column in columns.items() if name in known}
    )


def _read_by(mapped: Mapping[str, FieldMapping | None]) -> IdCase:
    folds = {name: one.fold_case for name, one in mapped.items() if one is not None and one.alternatives}
    return IdCase(
        folded=tuple(name for name, is_folded in folds.items() if is_folded),
        as_written=tuple(name for name, is_folded in folds.items() if not is_folded),
    )
