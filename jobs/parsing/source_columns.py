"""The raw columns a source's mapping reads."""

from __future__ import annotations

from conf.specs.event_mapping import EventMapping
from conf.specs.field_mapping import NUMBER_FIELDS, TEXT_FIELDS, FieldMapping, NumberMapping
from conf.specs.source import Source


def text_mappings(events: EventMapping) -> dict[str, FieldMapping]:
    """Return the mapping of each canonical text field that the source names."""
    found = {name: getattr(events, name) for name in TEXT_FIELDS}
    return {name: mapping for name, mapping in found.items() if mapping is not None}


def number_mappings(events: EventMapping) -> dict[str, NumberMapping]:
    """Return the mapping of each canonical number that the source names."""
    found = {name: getattr(events, name) for name in NUMBER_FIELDS}
    return {name: mapping for name, mapping in found.items() if mapping is not None}


def mapped_columns(source: Source) -> list[str]:
    """Return the names of all raw columns the mapping reads, each once, in order of first use."""
    columns = source.events.columns_of_fields.values()
    return list(dict.fromkeys(name for names in columns for name in names))


def path_patterns(source: Source) -> list[str]:
    """Return the patterns that read a field off the delivered file's path."""
    return [mapping.from_path for mapping in text_mappings(source.events).values() if mapping.from_path is not None]
