"""How pages are rendered: templates of a folder, every text escaped, an unknown name an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from rl.page.wording import counted, one_of


def page_environment(folder: Path, filters: Mapping[str, Callable[..., Any]], *shared: Path) -> jinja2.Environment:
    """Return what renders the folder's templates.

    Args:
        folder: of the templates.
        filters: of the templates, by name, beside `counted` and `one_of`, which all have.
        shared: folders of templates that these include.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, *shared]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({"counted": counted, "one_of": one_of, **filters})
    return environment
