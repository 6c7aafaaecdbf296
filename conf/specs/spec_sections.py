"""The sections of a spec's reference: one for each model that its keys lead to, and which one a key stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel


@dataclass(frozen=True)
class Section:
    """The keys of one model.

    Attributes:
        model: whose keys they are.
        places: key paths at which the model stands, such as `gate.guardrails[]`; an empty one for the whole spec.
    """

    model: type[BaseModel]
    places: tuple[str, ...]

    @property
    def heading(self) -> str:
        """The section's title: its place in words, and the model's name where it stands at several places."""
        if len(self.places) == 1:
            return self.places[0].replace("[]", "").replace(".", " ") or "top level"
        name = re.sub(r"(?<!^)(?=[A-Z])", " ", self.model.__name__).lower()
        return " ".join([*self._shared_parents, name])

    @property
    def anchor(self) -> str:
        """The part of a link behind its `#`."""
        return self.heading.replace(" ", "-").lower()

    def key_path(self, key: str) -> str:
        """The whole path of one of the keys, `*` standing for whichever place the model has.

        >>> Section(BaseModel, ("events.user_id", "events.price")).key_path("column")
        'events.*.column'
        """
        place = self.places[0] if len(self.places) == 1 else ".".join([*self._shared_parents, "*"])
        return f"{place}.{key}" if place else key

    @property
    def _shared_parents(self) -> list[str]:
        parents = {place.rpartition(".")[0] for place in self.places}
        return list(parents) if len(parents) == 1 and parents != {""} else []


def sections_of(model: type[BaseModel]) -> tuple[Section, ...]:
    """Return the sections of the model's reference, the whole spec first, in the order of its keys."""
    places: dict[type[BaseModel], list[str]] = {}
    for found, place in _with_places(model, ""):
        places.setdefault(found, []).append(place)
    return tuple(Section(found, tuple(at)) for found, at in places.items())


def section_at(model: type[BaseModel], location: tuple[int | str, ...]) -> Section:
    """Return the section that tells about a location, as errors of pydantic name it: the innermost one on the way."""
    inner = model
    for part in location:
        if isinstance(part, int):
            continue
        below = models_in(inner.model_fields[part].annotation) if part in inner.model_fields else []
        if not below:
            break
        inner = below[0]
    return next(section for section in sections_of(model) if section.model is inner)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a field's annotation holds, in lists and unions too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in models_in(argument)]


def _with_places(model: type[BaseModel], place: str) -> Iterator[tuple[type[BaseModel], str]]:
    yield model, place
    for name, field in model.model_fields.items():
        path = f"{place}.{name}" if place else name
        for below in models_in(field.annotation):
            yield from _with_places(below, f"{path}[]" if _is_listed(field.annotation) else path)


def _is_listed(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(_is_listed(argument) for argument in get_args(annotation))
