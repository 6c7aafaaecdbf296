"""Reading YAML into strict models."""

from pathlib import Path
from typing import Self

import pytest
from pydantic import model_validator

from conf.errors import SpecError
from conf.specs.strict_yaml import StrictModel, merge, parse_model, read_yaml, suggest


class Inner(StrictModel):
    gap_minutes: int


class Outer(StrictModel):
    name: str
    session: Inner
    parts: tuple[Inner, ...] = ()


def write(folder: Path, text: str) -> Path:
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_parse_model_lists_all_violations_at_once() -> None:
    """One error names the unknown key with a suggestion, the missing key and the wrong value."""
    with pytest.raises(SpecError) as caught:
        parse_model(Outer, {"nmae": "x", "session": {"gap_minutes": "soon"}}, "shop.yaml")
    message = str(caught.value)
    assert message.startswith("shop.yaml: 3 problem(s)")
    assert "nmae: unknown key; did you mean 'name'?" in message
    assert "name: this key is missing" in message
    assert "session.gap_minutes" in message and "soon" in message


def test_parse_model_suggests_a_nested_key() -> None:
    """A typo below the top is compared with the keys of its own level."""
    with pytest.raises(SpecError, match=r"session\.gap_minuts: unknown key; did you mean 'gap_minutes'\?"):
        parse_model(Outer, {"name": "x", "session": {"gap_minuts": 3, "gap_minutes": 3}}, "x")


def test_parse_model_suggests_a_key_inside_a_list() -> None:
    """The index of a list entry doesn't hide the entry's model."""
    with pytest.raises(SpecError, match=r"parts\.0\.gap: unknown key; known: gap_minutes"):
        parse_model(Outer, {"name": "x", "session": {"gap_minutes": 1}, "parts": [{"gap": 1, "gap_minutes": 1}]}, "x")


def test_read_yaml_refuses_a_key_given_twice(tmp_path: Path) -> None:
    """YAML would keep the last one silently."""
    with pytest.raises(SpecError, match=r"line 2: the key 'a' stands twice"):
        read_yaml(write(tmp_path, "a: 1\na: 2\n"))


@pytest.mark.parametrize(("text", "expected"), [("[1, 2]", "expected a mapping"), ("a: [", "not readable as YAML")])
def test_read_yaml_refuses_what_is_no_mapping(tmp_path: Path, text: str, expected: str) -> None:
    """A list or broken YAML is an error that names the file."""
    path = write(tmp_path, text)
    with pytest.raises(SpecError, match=expected) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)


def test_read_yaml_suggests_a_file_with_a_similar_name(tmp_path: Path) -> None:
    """A mistyped name of a spec is answered with the one that exists."""
    write(tmp_path, "a: 1")
    with pytest.raises(SpecError, match=r"no such file; did you mean 'spec'\?"):
        read_yaml(tmp_path / "spce.yaml")


def test_merge_replaces_leaves_and_keeps_the_rest() -> None:
    """Mappings merge key by key; lists and scalars are replaced whole; the base stays as it was."""
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    assert merge(base, {"a": {"c": [3]}, "e": 5}) == {"a": {"b": 1, "c": [3]}, "d": 4, "e": 5}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 4}


def test_merge_empties_what_an_empty_mapping_stands_for() -> None:
    """Written as `weights: {}`, an override takes all weights away; they aren't kept without a word."""
    assert merge({"reward": {"weights": {"click": 1}, "unit": "points"}}, {"reward": {"weights": {}}}) == {
        "reward": {"weights": {}, "unit": "points"}
    }


def test_merge_replaces_what_is_one_answer() -> None:
    """By its path, wherever it lies."""
    base = {"reward": {"weights": {"click": 1}, "cost": {"declared": {"mail": 1}, "otherwise": 0}}}
    override = {"reward": {"weights": {"purchase": 1}, "cost": {"declared": {"sms": 2}}}}
    assert merge(base, override, [("reward", "weights"), ("reward", "cost", "declared")]) == {
        "reward": {"weights": {"purchase": 1}, "cost": {"declared": {"sms": 2}, "otherwise": 0}}
    }
    assert merge(base, override)["reward"]["weights"] == {"click": 1, "purchase": 1}


def test_suggest_lists_known_words_where_none_is_near() -> None:
    """Without a near miss the reader gets the whole choice."""
    assert suggest("zzz", ["view", "cart"]) == "; known: cart, view"


def test_suggest_finds_a_word_in_other_capitals() -> None:
    """A header in capitals is as near as can be."""
    assert suggest("ek", ["EK", "gültig ab"]) == "; did you mean 'EK'?"


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOMB, "stand for more than"),
        ("a: &a [*a]\n", "or for themselves"),
        ("? [a, b]\n: 1\n", "line 1: a key must be text or a number, got a list"),
        ("? {a: b}\n: 1\n", "line 1: a key must be text or a number, got a dict"),
        ("a: 2026-13-45\n", "not readable as YAML"),
        ("a: " + "[" * 5_000, "not readable as YAML"),
        ("a: !!python/object:os.system x\n", "not readable as YAML"),
    ],
    ids=["bomb", "holds itself", "list key", "mapping key", "no such day", "deep", "foreign tag"],
)
def test_hostile_yaml_is_refused_in_a_short_message(tmp_path: Path, text: str, expected: str) -> None:
    """Aliases that expand, keys that can't be keys, and what else no spec holds."""
    with pytest.raises(SpecError) as caught:
        read_yaml(write(tmp_path, text))
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 700


def test_a_few_aliases_are_fine(tmp_path: Path) -> None:
    """An alias saves writing; only its expansion beyond measure is refused."""
    assert read_yaml(write(tmp_path, "a: &a [1, 2]\nb: *a\n")) == {"a": [1, 2], "b": [1, 2]}


def test_a_large_wrong_value_is_shown_shortened() -> None:
    """The message stays readable."""
    with pytest.raises(SpecError) as caught:
        parse_model(Outer, {"name": "x", "session": ["y"] * 100_000}, "shop.yaml")
    assert len(str(caught.value)) < 700


class Bounds(StrictModel):
    least: int
    most: int

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise ValueError("least is above most")
        return self


def test_what_several_keys_do_wrong_together_shows_no_mapping() -> None:
    """The sentence names the keys; the mapping would be the whole file."""
    with pytest.raises(SpecError) as caught:
        parse_model(Bounds, {"least": 2, "most": 1}, "bounds.yaml")
    assert str(caught.value) == "bounds.yaml: 1 problem(s)\n  (top): least is above most"
