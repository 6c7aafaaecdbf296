"""`make check-source` says in seconds what a log becomes, and shows nobody's data."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from conf.errors import FAILS_AGAIN, SpecError
from conf.settings import PROJECT_ROOT
from conf.specs.event_mapping import EventMapping
from conf.specs.source import Source, load_source
from conf.specs.strict_yaml import parse_model
from jobs.commands import check_source as check_source_command
from jobs.commands.check_source import main
from jobs.commands.source_check import check_source, report_lines
from jobs.errors import DeliveryError
from jobs.parsing.passed_over import PassedOver
from jobs.proposal.proposal import propose
from tests.jobs.event_rows import source
from tests.jobs.feed_shop import deliver_feeds, shop
from tests.jobs.shop_logs import DAYS, day_lines, deliver, line

FIRST = DAYS[0]
DIRT = [
    '{"event_time": "2026-01-05T1',
    line(FIRST, 5, user_id=None),
    line(FIRST, 6, event_time=1_767_571_200_123),
    line(FIRST, 7, event_type="stare", user_id="ann.lee@example.org"),
    line(FIRST, 8, price="12,50"),
    line(FIRST, 9, item_id={"sku": "secret-1"}),
    day_lines(FIRST)[0],
]


def test_rejections_are_explained_with_their_lines(tmp_path: Path) -> None:
    """Reason, field, place and shape; what stands in the line, nowhere."""
    deliver(tmp_path, FIRST, [*day_lines(FIRST), *DIRT, DIRT[1]])
    deliver(tmp_path, FIRST, ["x"], "clicks.json")
    checks, unread = check_source(source(), tmp_path)
    n_good = len(day_lines(FIRST))
    (check,) = checks
    assert (check.n_lines, check.n_rejected) == (n_good + 8, 8)
    report = "\n".join(report_lines(checks, unread, source()))
    for expected in (
        f"accepted {n_good}, rejected 8",
        f"2 missing_field user_id: first in {FIRST}/events.jsonl line {n_good + 2}",
        f"also {FIRST}/events.jsonl line {n_good + 8}",
        "1 bad_timestamp event_time: first in",
        "looks like 9999999999999: so many digits are milliseconds, the source says iso",
        "1 bad_number price",
        "looks like 99,99",
        "1 bad_id item_id",
        "1 unknown_event_type event_type",
        "1 duplicate",
        "mapped, and empty in every event: category_id, slate_id, availability_id, policy_version",
        "decisions with logged propensities",
        f"files that no pattern matches: {FIRST}/clicks.json",
    ):
        assert expected in report
    for secret in ("ann", "lee", "secret", "12,50", "1767571200123"):
        assert secret not in report.replace("many", "")


def test_few_lines_are_read_and_the_last_among_them(tmp_path: Path) -> None:
    """A log of any size takes as long, and what is wrong at its end is seen."""
    log = tmp_path / "log.csv"
    log.write_text("".join(f"{n},2,3,pv,1511544070\n" for n in range(50_000)) + "broken\n")
    ((check,), _) = check_source(load_source("taobao"), log, 100)
    assert (check.n_lines, check.n_rejected, check.problem()) == (100, 1, None)


def test_a_last_line_without_an_end_is_said(tmp_path: Path) -> None:
    """Of delimited text alone: a JSON line that was cut off is no object."""
    log = tmp_path / "log.csv"
    for end, names in (("", ["log.csv"]), ("\n", [])):
        log.write_text(f"1,2,3,pv,1511544070\n1,2,3,pv,15115440{end}")
        checks, unread = check_source(load_source("taobao"), log)
        assert checks[0].result()["unended_files"] == [f"{tmp_path.name}/{name}" for name in names]
        report = "\n".join(report_lines(checks, unread, load_source("taobao")))
        assert ("the last line has no end in" in report) == bool(names)
    deliver(tmp_path / "json", FIRST, day_lines(FIRST))
    (file,) = (tmp_path / "json").rglob("*.jsonl")
    file.write_text(file.read_text().removesuffix("\n"))
    assert check_source(source(), tmp_path / "json")[0][0].unended == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf16_is_told_from_garbage(tmp_path: Path, encoding: str) -> None:
    """With what to do, where every line would be unreadable, or the header unknown."""
    for name, told, text in (
        ("events.jsonl", source(), "\n".join(day_lines(FIRST))),
        ("log.csv", load_source("taobao"), "1,2,3,pv,1511544070\n" * 9),
    ):
        path = tmp_path / str(FIRST) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode(encoding))
        with pytest.raises(DeliveryError, match=r"written in UTF-16; convert it before delivery: iconv"):
            check_source(told, path.parent.parent if name.endswith("jsonl") else path)


def test_each_feed_is_checked_by_itself(tmp_path: Path) -> None:
    """Their first lines, with the same answer as ingest gives."""
    checks, _ = check_source(shop(), deliver_feeds(tmp_path))
    found = {check.name: (check.n_lines, check.n_rejected, dict(check.n_events)) for check in checks}
    assert found == {
        "clicks": (6, 2, {"view": 6}),
        "orders": (3, 1, {"purchase": 2}),
        "stock": (2, 0, {"stock": 2}),
    }
    # One of three is no share: so few lines say nothing.
    assert not [check.name for check in checks if check.problem()]
    strict = shop().model_copy(update={"max_rejected_share": 0.0})
    assert {check.name for check in check_source(strict, tmp_path)[0] if check.problem()} == {"orders"}


def test_command_ends_as_the_ingest_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 where the delivery would be published; 65 with the reason where it would not be, or can't be read."""
    deliver(tmp_path, FIRST, day_lines(FIRST))
    arguments = ["--source", "canonical", "--logs"]
    assert main([*arguments, str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["feeds"]["canonical"]["n_accepted"] == len(day_lines(FIRST))
    deliver(tmp_path, FIRST, DIRT)
    assert main([*arguments, str(tmp_path)]) == FAILS_AGAIN
    assert "would not be published" in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "nowhere")]) == FAILS_AGAIN
    assert "no such file or folder" in capsys.readouterr().err


def test_a_usual_scenario_that_does_not_fit_is_told_to_scripts_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asked for it, so the lines are right; asked for by name, it ends with its error."""

    def refused(*_: object) -> None:
        raise SpecError("recommendation on canonical: 2 problems")

    deliver(tmp_path, FIRST, day_lines(FIRST))
    monkeypatch.setattr(check_source_command, "load_pipeline", refused)
    arguments = ["--source", "canonical", "--logs", str(tmp_path)]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["misfits"] == ["before a night: recommendation on canonical: 2 problems"]
    assert main([*arguments, "--scenario", "recommendation"]) != 0


def test_no_java_is_started(tmp_path: Path) -> None:
    """It runs where there is none."""
    deliver(tmp_path, FIRST, day_lines(FIRST))
    ended = subprocess.run(
        [sys.executable, "-m", "jobs.commands.check_source", "--source", "canonical", "--logs", str(tmp_path)],
        cwd=PROJECT_ROOT,
        env={"PATH": "", "JAVA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, json.loads(ended.stdout)["source"]) == (0, "canonical")


@pytest.mark.parametrize(
    ("columns", "line", "expected"),
    [
        (["items[0].id", "user"], '{"items": [{"id": 1}, {"id": 2}]}', ["items"]),
        (["items[0].id"], '{"items": [{"id": 1}]}', []),
        (["items[0].id"], '{"items": []}', []),
        (["items[0].id", "items[1].id"], '{"items": [{"id": 1}, {"id": 2}]}', []),
        (["items[1].id"], '{"items": [{"id": 1}, {"id": 2}]}', ["items"]),
        (["items[0].id", "items[].sku"], '{"items": [{"id": 1}, {"id": 2}]}', []),
        (["a.b[0].c[2]"], '{"a": {"b": [{"c": [1, 2, 3]}]}}', ["a.b[0].c"]),
        (["orders[].lines[0].id"], '{"orders": [{"lines": [1, 2]}]}', []),
        (["p[key=page].v"], '{"p": [{"key": "page"}, {"key": "x"}]}', []),
        (["items[0].id"], '{"items": "text"}', []),
        (["items[0].id"], '{"items": [', []),
    ],
)
def test_elements_that_no_column_reads_are_found(columns: list[str], line: str, expected: list[str]) -> None:
    """Where all of a list is read, by one path or by several, nothing is passed over."""
    assert list(PassedOver(columns).lists_of(line)) == expected


def test_elements_that_are_passed_over_are_counted(tmp_path: Path) -> None:
    """A basket of which the first item alone is read would lose the others without a word."""
    mapping = source().events.model_dump() | {"item_id": {"column": "items[0].id"}}
    shop = source(events=EventMapping.model_validate(mapping))
    lines = [line(FIRST, minutes, items=[{"id": "a"}] * minutes) for minutes in range(4)]
    deliver(tmp_path, FIRST, lines)
    (check,), unread = check_source(shop, tmp_path)
    assert check.result()["passed_over"] == {"items": 2}
    report = "\n".join(report_lines([check], unread, shop))
    assert "2 lines hold further elements of items that no column reads; items[] instead of items[0]" in report


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    """As landing would say it; the look ends, since the rest of the file can't be known."""
    lines = "".join(json.dumps({"event_time": "2026-03-01T10:00:00Z", "n": n}) + "\n" for n in range(50_000))
    whole = gzip.compress(lines.encode())
    (tmp_path / "2026-03-01").mkdir()
    (tmp_path / "2026-03-01" / "events.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DeliveryError, match="not a whole gzip file"):
        check_source(load_source("canonical"), tmp_path, n_lines=10**6)


def test_the_last_file_with_lines_is_looked_at(tmp_path: Path) -> None:
    """Of many, whose last ones are of days on which the shop was closed: the days at hand reach so far."""
    folder = tmp_path / "logs"
    folder.mkdir()
    header = "event_id,event_time,event_type,user_id,item_id"
    for day in range(1, 29):
        rows = [f"e{day}-{n},2026-01-{day:02d}T10:{n:02d}:00Z,view,u{n % 7},i{n % 5}" for n in range(60)]
        text = "\n".join([header, *(rows if day < 27 else ()), ""])
        (folder / f"log {day:02d}.csv").write_text(text, encoding="utf-8")
    given = parse_model(Source, yaml.safe_load(propose([folder], "shop")) | {"zone": "UTC"}, "draft")
    (check,), _ = check_source(given, folder, 100)
    assert str(date(1970, 1, 1) + timedelta(days=max(check.days))) == "2026-01-26"
