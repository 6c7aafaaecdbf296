"""Lines above the column names of a delimited file, as an export's title: told where the header doesn't fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from conf.specs.delivery import CsvFormat
from jobs.parsing.record_cutting import split_line
from jobs.parsing.text_files import bounded_lines, decode, open_bytes

_LOOKED_AT = 100


def told_title(path: Path, form: CsvFormat, encoding: str, names: Sequence[str]) -> str | None:
    """Return what `skip_lines` should say, where the first lines show it; None where they don't.

    Args:
        path: of a file whose header lacks columns.
        form: how its lines are cut.
        encoding: of its text.
        names: columns that were looked for in the header.
    """
    with open_bytes(path) as content:
        lines = [*islice(bounded_lines(content), _LOOKED_AT)]
    cut = [split_line(decode(line, encoding, is_first=not number), form) or [] for number, line in enumerate(lines)]
    rows = [form.with_added(row) for row in cut]
    taken = form.skip_lines
    below = next((number for number, row in enumerate(rows) if number != taken and set(names) <= set(row)), None)
    if below is not None:
        return f"line {below + 1} holds the column names: say `skip_lines: {below}` under `csv`"
    widths = Counter(len(row) for row in cut[taken + 1 :])
    usual = widths.most_common(1)[0][0] if widths else 0
    if taken < len(cut) and 2 * sum(map(bool, cut[taken])) <= usual:  # one cell more below is no title's doing
        return (
            f"line {taken + 1} holds {sum(map(bool, cut[taken]))} and most lines below it {usual} values: where it "
            "is a title, `skip_lines` under `csv` says how many lines stand above the column names"
        )
    return None
