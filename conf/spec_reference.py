"""The reference of every key of a spec, written from the models by `python -m conf.spec_reference`."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from conf.errors import SpecError
from conf.event_types import EventType
from conf.observation_features import OBSERVATION_FEATURES, PRODUCT_FEATURES, SHOPPER_PREFIX, feature_named
from conf.settings import PROJECT_ROOT
from conf.specs.candidate import TrainingSpec
from conf.specs.key_kinds import kinds_at
from conf.specs.problem import Feature
from conf.specs.scenario import Scenario
from conf.specs.shopper_model import ShopperModel
from conf.specs.source import Source
from conf.specs.spec_sections import Section, models_in, sections_of
from conf.specs.strict_yaml import StrictModel

SPECS: tuple[tuple[type[StrictModel], str, str], ...] = (
    (Source, "Sources: every key", "A source says what a shop's raw log looks like: a file of `conf/sources`."),
    (
        Scenario,
        "Scenarios: every key",
        "A scenario says what is learned from a log, and when it may be promoted: a file of `conf/scenarios`.",
    ),
    (
        ShopperModel,
        "Models of shoppers: every key",
        "A model says what is predicted of each shopper, and from what: a file of `conf/models`.",
    ),
)

_WORDS: Mapping[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false", date: "date"}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
_OVERRIDES = """
## overrides

`overrides` holds, by the name of a source, what differs on that source alone: any keys of this page, laid over those
above. Mappings are merged key by key. `reward.weights` and `reward.action_cost.declared` are replaced whole, as lists
and single values are: with `weights: {purchase: 1}` in an override, nothing but purchases earns. A spec without
overrides is the same on all sources. Example:
`overrides: {taobao: {action: {key: category, mask: none}, evaluation: {estimator: dm}}}`
"""


def write_pages(folder: Path) -> list[Path]:
    """Write the pages below the folder, such as docs/reference-sources.md, and return their paths.

    Raises:
        SpecError: a key has no description or no example; names all of them.
    """
    paths = []
    for model, text in pages().items():
        paths.append(folder / model.reference)
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def pages() -> dict[type[StrictModel], str]:
    """Return the page of each spec's model, as Markdown.

    Raises:
        SpecError: a key has no description or no example; names all of them.
    """
    return {model: _page(model, title, meaning) for model, title, meaning in SPECS}


def undescribed(model: type[BaseModel]) -> list[str]:
    """Return what the model's keys lack, one sentence a key: a description that is a sentence, and an example."""
    found = []
    for section in sections_of(model):
        for name, field in section.model.model_fields.items():
            if not (field.description or "").endswith("."):
                found.append(f"{section.key_path(name)}: expected a description that ends in a full stop")
            if not field.examples:
                found.append(f"{section.key_path(name)}: expected an example")
    return found


def type_in_words(section: Section, name: str) -> str:
    """Return what may stand at one of the section's keys: its type, its choices and its bounds."""
    field = section.model.model_fields[name]
    if issubclass(section.model, TrainingSpec) and name == "algorithm":
        return _one_of(section.model.algorithms)
    if section.model is Feature and name == "name":
        return "[feature](#features)"
    return ", ".join([_words(field.annotation), *_bounds(field.metadata)])


def _page(model: type[StrictModel], title: str, meaning: str) -> str:
    if problems := undescribed(model):
        raise SpecError(f"{model.__name__} can't be explained: {'; '.join(problems)}")
    head = (
        f"# {title}\n\n{meaning} Made from the models by `make reference`: change the descriptions in `conf`, not this "
        "page. A key that isn't here is an error.\n\n"
        "What a key decides says what a change of it makes anew. `landing`: the logs must be landed again. `data`: the "
        "tables are made anew. `learning`: a night registers another version. `operation`: nothing.\n"
    )
    sections = sections_of(model)
    by_model = {section.model: section for section in sections}
    parts = [_section(section, by_model) for section in sections]
    if model is Scenario:
        parts.append(_OVERRIDES)
    return head + "".join([*parts, _event_types()])


def _section(section: Section, by_model: Mapping[type[BaseModel], Section]) -> str:
    meaning = " ".join((section.model.__doc__ or "").split())
    places = ", ".join(f"`{place}`" for place in section.places) if len(section.places) > 1 else ""
    head = f"\n## {section.heading}\n\n{meaning}{f' Stands at {places}.' if places else ''}\n\n"
    rows = [_row(section, name, field, by_model) for name, field in section.model.model_fields.items()]
    text = head + _table(("key", "type", "default", "decides", "meaning", "example"), rows)
    if section.model is Feature:
        text += _features()
    if issubclass(section.model, TrainingSpec):
        text += _parameters(section.model)
    return text


def _row(section: Section, name: str, field: FieldInfo, by_model: Mapping[type[BaseModel], Section]) -> tuple[str, ...]:
    links = [f"[below](#{by_model[below].anchor})" for below in models_in(field.annotation)]
    kind = ", ".join([type_in_words(section, name), *links])
    example = f"`{in_yaml(field.examples[0])}`" if field.examples else ""
    decides = _decides(section, name, by_model)
    return f"`{section.key_path(name)}`", kind, _default(field), decides, field.description or "", example


def _decides(section: Section, name: str, by_model: Mapping[type[BaseModel], Section]) -> str:
    """Return the kinds of the key, over all places where its model stands; the whole spec's model comes first."""
    whole = next(iter(by_model))
    return ", ".join(sorted({kind for place in section.places for kind in kinds_at(whole, place, name)}))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, BaseModel):
        return "left out"
    return f"`{in_yaml(value)}`"


def in_yaml(value: Any) -> str:
    """Return the value on one line, as it may stand in a spec.

    >>> in_yaml({"column": "click", "values": ("1", "1.0")}), in_yaml(0.3)
    ("{column: click, values: ['1', '1.0']}", '0.3')
    """
    plain = list(value) if isinstance(value, tuple) else value
    text: str = yaml.dump(plain, Dumper=_Plain, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("...\n").strip()


class _Plain(yaml.SafeDumper):
    """Write the same value twice where it stands twice, not an alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  (yaml's)
        return True


def _words(annotation: Any, *, is_plural: bool = False) -> str:
    if annotation == EventType:
        return "[event types](#event-types)" if is_plural else "[event type](#event-types)"
    origin, inner = get_origin(annotation), [one for one in get_args(annotation) if one is not type(None)]
    if origin is Literal:
        return f"some of {_named(inner)}" if is_plural else _one_of(inner)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(one, is_plural=is_plural) for one in inner)
    if origin is Annotated:
        return " ".join([_words(inner[0], is_plural=is_plural), *_bounds(annotation.__metadata__)])
    if origin is tuple:
        return f"list of {_words(inner[0], is_plural=True)}"
    if origin is dict:
        return f"mapping of {_words(inner[0])} to {_words(inner[1])}"
    word = _WORDS.get(annotation, "mapping")
    return f"{word}s" if is_plural and word not in ("text", "true or false") else word


def _one_of(choices: Iterable[str]) -> str:
    named = _named(choices)
    return f"one of {named}" if ", " in named else named


def _bounds(metadata: Iterable[Any]) -> list[str]:
    found = []
    for one in metadata:
        found += [
            f"{word} {getattr(one, name)}" for name, word in _BOUNDS.items() if getattr(one, name, None) is not None
        ]
        if getattr(one, "min_length", None):
            found.append(f"at least {one.min_length} of them")
        if getattr(one, "pattern", None):
            found.append(f"matching `{one.pattern}`")
    return found


def _features() -> str:
    rows = [
        (f"`{name}`", "list" if known.kind == "list" else "number", f"`{known.delay}`", known.meaning)
        for name, known in [
            *OBSERVATION_FEATURES.items(),
            (f"{SHOPPER_PREFIX}...", feature_named(f"{SHOPPER_PREFIX}...")),
            *PRODUCT_FEATURES.items(),
        ]
        if known is not None
    ]
    return (
        "\n### features\n\nDelay `none`: events of the same session, as they happen. Delay `delivery`: what had been "
        "delivered before the decision's day. Those from `units_on_hand` on are of products, for the clock `sku_day` "
        "alone; `{n}` stands for a number, as in `units_sold_7d`.\n\n"
        + _table(("name", "kind", "delay", "meaning"), rows)
    )


def _parameters(model: type[TrainingSpec]) -> str:
    rows = [(f"`{name}`", _named(entry.parameters) or "none") for name, entry in model.algorithms.items()]
    every = {name for entry in model.algorithms.values() for name in entry.parameters}
    shared = [name for name in model.model_fields if name not in every]
    return (
        f"\nEvery algorithm takes {_named(shared)}; of the other keys each takes its own, and refuses the rest:\n\n"
        + _table(("algorithm", "its own keys"), rows)
    )


def _event_types() -> str:
    return f"\n## event types\n\n{_named(get_args(EventType))}\n"


def _named(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    for page in write_pages(PROJECT_ROOT):
        print(page.relative_to(PROJECT_ROOT))
