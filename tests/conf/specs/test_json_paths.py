"""Paths into nested objects are read once, with what is no path refused."""

import pytest

from conf.specs.json_paths import JsonPath, is_path, read_path


@pytest.mark.parametrize(
    ("column", "steps", "list_steps"),
    [
        ("user.id", ("user", "id"), None),
        ("items[].item_id", ("item_id",), ("items",)),
        ("ecommerce.items[].price.value", ("price", "value"), ("ecommerce", "items")),
        ("tags[]", (), ("tags",)),
        ("items[0].id", ("items", 0, "id"), None),
        ("params[key=ga.session id].value.int", ("params", ("key", "ga.session id"), "value", "int"), None),
    ],
)
def test_path_is_read(column: str, steps: tuple[object, ...], list_steps: tuple[object, ...] | None) -> None:
    """Keys, lists, places and elements known by a key."""
    assert read_path(column) == JsonPath(column, steps, list_steps)  # type: ignore[arg-type]
    assert is_path(column)


@pytest.mark.parametrize("column", ["a..b", ".a", "a.", "a[", "a[x]", "a[].b[].c", "a]"])
def test_what_is_no_path_is_refused(column: str) -> None:
    """A slip is named, not taken for a key."""
    with pytest.raises(ValueError, match=r"is no path|two lists"):
        read_path(column)
