"""Source specs: every YAML in the project, and what a bad one gets."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.errors import SpecError
from conf.specs.delivery import CsvFormat
from conf.specs.source import SOURCES_FOLDER, Source, load_source, source_names
from conf.specs.strict_yaml import merge, parse_model


def taobao_with(**override: Any) -> dict[str, Any]:
    content = yaml.safe_load((SOURCES_FOLDER / "taobao.yaml").read_text(encoding="utf-8"))
    return merge(content, override)


@pytest.mark.parametrize("name", source_names())
def test_load_source_reads_every_source_of_the_project(name: str) -> None:
    """Each file fits the model and is named as its content says."""
    assert load_source(name).name == name


def test_source_names_hold_the_formats_that_ship() -> None:
    """The documented formats and the simulated shop are there."""
    expected = {"canonical", "taobao", "retailrocket", "online_retail", "open_bandit", "simulated_shop"}
    expected |= {"ga4", "shopify_orders", "segment", "rees46", "movielens", "grocery_baskets", "criteo_uplift", "mind"}
    expected |= {"simulated_promotion"}
    assert expected <= set(source_names())


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ({"zone": "Mars/Olympus"}, "no such time zone"),
        ({"events": {"user_id": {"column": "user", "constant": "x"}}}, "exactly one of column, columns, constant"),
        ({"events": {"event_time": {"unit": "pattern"}}}, "give pattern with unit: pattern"),
        ({"events": {"event_type": {"map": {"pv": "veiw"}}}}, "did you mean 'view'"),
        ({"window": {"first": "2018-01-01"}}, "is after last"),
        ({"format": "jsonl"}, "give csv with format: csv, and only then"),
        ({"csv": {"has_header": True}}, "give columns where there is no header"),
        ({"sesion": {"gap_minutes": 3}}, "did you mean 'session'"),
        ({"decisions": {"kind": "guessed"}}, "guessed"),
        ({"events": {"event_time": {"columns": ["a", "b"]}}}, "exactly one of column, columns"),
        ({"events": {"event_time": {"zone": "Mars/Olympus"}}}, "no such time zone"),
        ({"events": {"user_id": {"extract": "id-\\d+"}}}, "expected one group in parentheses, found 0"),
        ({"events": {"price": {"column": "p", "times": "q", "divided_by": "r"}}}, "one of times, divided_by"),
        ({"events": {"price": {"column": "p", "divided_by": 100}}}, "a fixed factor is scale, as 0.01 for cents"),
        ({"events": {"event_type": {"ignore": ["pv"]}}}, "pv: both in map and in ignore"),
        ({"max_rejected_share": 20}, "less than or equal to 1"),
        ({"hours_past_day": 25}, "less than or equal to 24"),
        ({"hours_past_day": 4}, "hours_past_day needs delivery.layout dated_files"),
        ({"events": {"user_id": {"fold_case": True, "map": {"AB": "x"}}}}, "map: 'AB' never comes .* write 'ab'"),
        ({"events": {"item_id": {"column": None, "constant": "AB", "fold_case": True}}}, "fold_case folds what"),
        ({"events": {"ignore_where": [{"column": "user", "values": ["x", ""]}]}}, "ignore_where: '' means a missing"),
        ({"csv": {"delimiter": ""}}, "characters that stand between values"),
        ({"csv": {"quote": "''"}}, 'give one character, or ""'),
        ({"csv": {"quote": "", "quoted_line_breaks": True}}, "needs a quote"),
        ({"encoding": "utf-16"}, "convert UTF-16"),
        ({"encoding": "latin-99"}, "no encoding"),
        ({"events": {"event_time": {"unit": "pattern", "pattern": "yyyy DDD"}}}, "'DDD' isn't read"),
        ({"duplicates": "rejct"}, "did you mean 'reject'"),
        ({"events": {"user_id": {"first_of": ["user", "item"]}}}, "exactly one of column, columns, constant"),
        ({"events": {"user_id": {"column": None, "first_of": ["user", []]}}}, "an empty list names no column"),
        ({"events": {"user_id": {"column": "usr"}}}, "no column 'usr' among csv.columns; did you mean 'user'"),
        ({"events": {"event_time": {"constant": "2020-01-01"}}}, "exactly one of column, columns, constant"),
        ({"events": {"event_time": {"unit": "day_number"}}}, "give day_one with unit: day_number"),
        ({"events": {"derived": [{"column": "item", "type": "click"}]}}, "give one of values, match"),
        ({"events": {"derived": [{"column": "item", "match": "(", "type": "click"}]}}, "not a regular expression"),
        (
            {"events": {"derived": [{"column": "item", "match": "1", "type": "click", "without": ["user_id"]}]}},
            "without: no field 'user_id' to leave out",
        ),
        ({"csv": {"lists": {"items": " "}}}, "no column 'items' among columns; did you mean 'item'"),
        ({"csv": {"lists": {"item": ""}}}, "item: give what stands between"),
        ({"csv": {"fill_down": {"by": "order", "columns": ["user"]}}}, "no column 'order' among columns"),
        ({"csv": {"lists": {"user": " "}}, "events": {"user_id": {"column": "user[]"}}}, "user_id is read from 'user"),
        (
            {
                "csv": {"lists": {"item": " ", "category": " "}},
                "events": {"item_id": {"column": "item[]"}, "category_id": {"column": "category[]"}},
            },
            r"item\[\] and category\[\] lie below different lists",
        ),
    ],
)
def test_source_names_what_does_not_fit(override: dict[str, Any], expected: str) -> None:
    """A typo or contradiction in a spec is an error that says what to write instead."""
    with pytest.raises(SpecError, match=expected):
        parse_model(Source, taobao_with(**override), "taobao.yaml")


def test_source_refuses_a_pattern_that_is_no_regular_expression() -> None:
    """A broken expression is found when the spec is read, not when Spark runs."""
    match = {"event_type": {"column": "x", "map": None, "match": [{"pattern": "(", "type": "view"}]}}
    with pytest.raises(SpecError, match="not a regular expression"):
        parse_model(Source, taobao_with(events=match), "taobao.yaml")


def test_load_source_refuses_a_file_named_otherwise(tmp_path: Path) -> None:
    """A copied spec whose name was forgotten is caught."""
    (tmp_path / "myshop.yaml").write_text(yaml.safe_dump(taobao_with()), encoding="utf-8")
    with pytest.raises(SpecError, match="name is 'taobao', expected 'myshop'"):
        load_source("myshop", tmp_path)


@pytest.mark.parametrize(
    ("given", "expected"), [("tab", "\t"), ("\t", "\t"), ("\\t", "\t"), ("::", "::"), (";", ";"), (" ", " ")]
)
def test_delimiter_is_what_it_says(given: str, expected: str) -> None:
    """A tab isn't trimmed to nothing."""
    assert CsvFormat(has_header=True, delimiter=given).delimiter == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ({"user_id": {"column": "users[].id"}}, "user_id is read from 'users.*one user_id; .*flatten the files first"),
        ({"price": {"column": "a[].price", "times": "b[].n"}}, "below different lists; what one value is made of"),
        (
            {"item_id": {"column": None, "columns": ["a[].id", "b[].id"]}},
            "below different lists; what one value is made of",
        ),
        ({"item_id": {"column": "a[].b[].id"}}, "goes through two lists"),
        ({"item_id": {"column": "a[.id"}}, "is no path"),
    ],
)
def test_paths_of_json_lines_are_checked(events: dict[str, Any], expected: str) -> None:
    """What couldn't be read as one line's events is refused with the spec."""
    with pytest.raises(SpecError, match=expected):
        parse_model(Source, taobao_with(format="jsonl", csv=None, events=events), "shop.yaml")


def shop_of_feeds(*feeds: dict[str, Any], **changes: Any) -> dict[str, Any]:
    shop = taobao_with()
    for name in ("format", "csv", "delivery", "events"):
        del shop[name]
    return shop | {"feeds": list(feeds)} | changes


def feed(name: str, **changes: Any) -> dict[str, Any]:
    shop = taobao_with()
    return {"name": name, **{key: shop[key] for key in ("format", "csv", "delivery", "events")}} | changes


def test_source_of_feeds_is_narrowed_to_each() -> None:
    """What a feed leaves out is the source's."""
    orders = feed("orders", encoding="latin-1", max_rejected_share=0.5, delivery={"layout": "dated_files"})
    shop = parse_model(Source, shop_of_feeds(feed("clicks"), orders, null_words=["-"]), "shop.yaml")
    alone = shop.feeds_alone()
    found = {name: (one.encoding, one.max_rejected_share, one.delivery.layout) for name, one in alone.items()}
    assert found == {"clicks": ("utf-8", 0.2, "by_event_date"), "orders": ("latin-1", 0.5, "dated_files")}
    assert all(one.null_words == ("-",) and one.feed_name == name for name, one in alone.items())
    assert Source.model_validate(shop.model_dump(mode="json")) == shop
    assert (shop.feed_name, load_source("taobao").feed_name) == (None, None)


def test_hours_past_the_day_are_of_the_feeds_that_say_so() -> None:
    """One feed's own key holds over the source's, 0 as well."""
    dated = {"layout": "dated_files"}
    feeds = [feed("clicks", delivery=dated), feed("orders", hours_past_day=0), feed("calls", hours_past_day=9)]
    feeds[2]["delivery"] = dated
    shop = parse_model(Source, shop_of_feeds(*feeds, hours_past_day=4), "shop.yaml")
    assert {name: one.hours_past_day for name, one in shop.feeds_alone().items()} == {
        "clicks": 4,
        "orders": 0,
        "calls": 9,
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (shop_of_feeds(feed("a"), feed("a")), "two feeds are called a"),
        (shop_of_feeds(feed("a"), format="jsonl"), "format: give them in each feed"),
        (shop_of_feeds(feed("a"), feed("b", hours_past_day=4)), "feed b: hours_past_day needs delivery.layout dated"),
        (shop_of_feeds(feed("a"), feed("b", csv=None)), "feed b: give csv with format: csv"),
        (shop_of_feeds(feed("a"), feed("b", evnts={})), "did you mean 'events'"),
        (shop_of_feeds(feed("a"), feed("b", encoding="utf-16")), "convert UTF-16"),
        (shop_of_feeds(), "this key is missing"),
    ],
)
def test_feeds_that_do_not_fit_are_named(content: dict[str, Any], expected: str) -> None:
    """Each with its name."""
    with pytest.raises(SpecError, match=expected):
        parse_model(Source, content, "shop.yaml")
