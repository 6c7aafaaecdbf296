"""YAML files read into strict models: every violation at once, unknown keys with a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from conf.errors import SpecError
from conf.specs.spec_sections import models_in, section_at

_MOST_VALUES = 50_000
_SHOWN_CHARACTERS = 200


class StrictModel(BaseModel):
    """A frozen model that knows its fields and no others.

    Attributes:
        reference: the page that explains its keys, where it is a whole spec.
    """

    reference: ClassVar[str] = ""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, str_strip_whitespace=True)


Model = TypeVar("Model", bound=StrictModel)


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, which YAML would settle silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise SpecError(
                    f"line {key_node.start_mark.line + 1}: a key must be text or a number, got a "
                    f"{type(key).__name__}; quote it, or put it on the value's side"
                )
            if key in seen:
                raise SpecError(f"line {key_node.start_mark.line + 1}: the key {key!r} stands twice; keep one")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)

    def get_single_node(self) -> yaml.Node | None:
        """Return the document's node, after counting what its aliases stand for, before any of them is written out."""
        node: yaml.Node | None = super().get_single_node()
        _n_expanded(node, {})
        return node


def _n_expanded(node: yaml.Node | None, counted: dict[int, int]) -> int:
    """Return how many values the node stands for once its aliases are written out.

    Raises:
        SpecError: more than a spec can need, or a value that holds itself.
    """
    if node is None or isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in counted:
        counted[id(node)] = _MOST_VALUES  # what a value that holds itself meets
        parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
        counted[id(node)] = 1 + sum(_n_expanded(part, counted) for part in parts)
    if counted[id(node)] >= _MOST_VALUES:
        raise SpecError(
            f"line {node.start_mark.line + 1}: its aliases (*name) stand for more than {_MOST_VALUES} "
            "values, or for themselves; write the values out"
        )
    return counted[id(node)]


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping a YAML file holds.

    Raises:
        SpecError: the file is missing, isn't YAML, holds a key twice, or holds no mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except FileNotFoundError as error:
        raise SpecError(f"{path}: no such file{_suggest_file(path)}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, TypeError, RecursionError) as error:
        raise SpecError(f"{path}: not readable as YAML: {_shortened(str(error), 400)}") from error
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise SpecError(f"{path}: expected a mapping of keys to values, got {type(content).__name__}")
    return content


def parse_model(model: type[Model], content: Mapping[str, Any], where: str) -> Model:
    """Return the content as a model.

    Raises:
        SpecError: lists every violation on a line of its own, with a suggestion where a key or a value looks like a
            known one, and where the key is explained.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = [
            _one_line(f"  {_location(issue['loc'])}: {_explain(model, issue)}{pointer(model, issue['loc'])}")
            for issue in error.errors()
        ]
        raise SpecError(f"{where}: {len(lines)} problem(s)\n" + "\n".join(lines)) from error


def merge(
    base: Mapping[str, Any], override: Mapping[str, Any], whole: Collection[tuple[str, ...]] = ()
) -> dict[str, Any]:
    """Return the base with the override laid over it, mapping by mapping; lists and scalars are replaced whole.

    An empty mapping below a key replaces what is there too: merged, it would change nothing without a word.

    Args:
        base: what holds where the override says nothing.
        override: what goes first.
        whole: keys, as paths, whose mappings are one answer: the override's takes the place of the base's.
    """
    merged = dict(base)
    for key, value in override.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping) and value and (key,) not in whole:
            merged[key] = merge(below, value, [path[1:] for path in whole if path[0] == key])
        else:
            merged[key] = value
    return merged


def yaml_name(name: str) -> str:
    """Return a name as YAML keeps it a name.

    >>> yaml_name("my_shop"), yaml_name("no")
    ('my_shop', "'no'")
    """
    return yaml.safe_dump(name, width=1000).splitlines()[0]


def suggest(word: str, known: list[str]) -> str:
    """Return `; did you mean 'x'?` for a near miss, such as other capitals, else the known words."""
    by_fold = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    near = near or [by_fold[one] for one in difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)]
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"


def pointer(model: type[StrictModel], location: tuple[int | str, ...]) -> str:
    """Return `; see` and the heading that explains the key, such as docs/reference-scenarios.md#gate.

    Empty for a model without a reference.
    """
    return f"; see {model.reference}#{section_at(model, location).anchor}" if model.reference else ""


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _suggest_file(path: Path) -> str:
    known = [file.stem for file in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
    return suggest(path.stem, known) if known else ""


def _location(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts) or "(top)"


def _explain(model: type[BaseModel], issue: Any) -> str:
    if issue["type"] == "extra_forbidden":
        return f"unknown key{suggest(str(issue['loc'][-1]), _known_keys(model, issue['loc'][:-1]))}"
    if issue["type"] == "missing":
        return "this key is missing"
    if issue["type"] in ("literal_error", "enum"):
        expected = str(issue["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return f"got {_shortened(repr(issue['input']))}{suggest(str(issue['input'])[:_SHOWN_CHARACTERS], expected)}"
    told = _shortened(issue["msg"].removeprefix("Value error, "), 2_000)
    # What is wrong with several keys together names them; the whole mapping would only hide it.
    if issue["type"] == "value_error" and (issue["input"] is None or isinstance(issue["input"], Mapping)):
        return told
    return f"{told} (got {_shortened(repr(issue['input']))})"


def _shortened(text: str, longest: int = _SHOWN_CHARACTERS) -> str:
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the field names of the model at a location, looking through union members and list indices on the way."""
    models: list[type[BaseModel]] = [model]
    for part in location:
        below = [
            found
            for one in models
            if part in one.model_fields
            for found in models_in(one.model_fields[str(part)].annotation)
        ]
        models = below or models
    return sorted({name for one in models for name in one.model_fields})
