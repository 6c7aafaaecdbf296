"""Patterns of delivered files' relative paths."""

from __future__ import annotations

import re


def matches(name: str, pattern: str) -> bool:
    """Return True where a relative path fits a pattern: `**/` any folders or none, `*` and `?` within a name."""
    translated = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*")
    return re.fullmatch(translated.replace(r"\*", "[^/]*").replace(r"\?", "[^/]"), name) is not None
