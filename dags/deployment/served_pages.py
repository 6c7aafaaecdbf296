"""A home's pages as Airflow's own web server shows them: behind its login, at addresses that approvals link to.

Below `/nightcart/` an address is the page's path in the home, so that links between pages are the same on disk.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any

from conf.paths import Run, comparisons, site_folder
from conf.settings import Settings
from dags.deployment.home_page import HomePage, with_notice

PREFIX = "/nightcart"
HOME_PAGE = f"{PREFIX}/site/index.html"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.html")
_NIGHTS_PAGES = ("review.html", "monitor.html", "worth.html", "experiment.html", "shopper_model.html")
# Pages are single files without scripts. Sandboxed, they have no part in the session of whoever reads them.
_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

Message = MutableMapping[str, Any]


def page_address(base_url: str, run: Run) -> str:
    """Return where the review page of a night is served.

    Args:
        base_url: of Airflow's web server, as its configuration says.
        run: the night.
    """
    return f"{base_url.rstrip('/')}{PREFIX}/pages/{run.source}/{run.scenario}/{run.date}/review.html"


def page_file(home: Path, address: str) -> Path | None:
    """Return the file of a page by its address below the prefix; None where that names no page of the home.

    `pages/SOURCE/SCENARIO/DATE/review.html` is what approvals link to, for `runs/…`.
    """
    match address.split("/"):
        case ["pages" | "runs", source, scenario, day, name]:
            return _nights_page(home, source, scenario, day, name)
        case ["site", "index.html"]:
            return site_folder(home) / "index.html"
        case ["site", "tables", source, name] if _NAME.fullmatch(source) and _FILE.fullmatch(name):
            return site_folder(home) / "tables" / source / name
        case ["comparisons", name] if _FILE.fullmatch(name):
            return comparisons(home) / name
    return None


def _nights_page(home: Path, source: str, scenario: str, day: str, name: str) -> Path | None:
    if name not in _NIGHTS_PAGES or not (_NAME.fullmatch(source) and _NAME.fullmatch(scenario)):
        return None
    try:
        return Run(home, source, scenario, date.fromisoformat(day)).folder / name
    except ValueError:
        return None


class ServedPages:
    """An ASGI application that is made on its first request: tasks and schedulers load it too, and serve nothing."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer a request."""
        if self._app is None:
            self._app = pages_app(Settings.from_environment())
        await self._app(scope, receive, send)


def pages_app(settings: Settings) -> Any:
    """Return the application that serves a home's pages to whoever is logged in; others go to the login."""
    from airflow.api_fastapi.app import get_auth_manager  # noqa: PLC0415  (see ServedPages)
    from airflow.api_fastapi.core_api.security import get_user  # noqa: PLC0415
    from fastapi.security import HTTPAuthorizationCredentials  # noqa: PLC0415
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.exceptions import HTTPException  # noqa: PLC0415
    from starlette.responses import FileResponse, HTMLResponse, RedirectResponse  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    home_page = HomePage(settings)

    async def page(request: Any) -> Any:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = HTTPAuthorizationCredentials(scheme=scheme, credentials=token) if token else None
        try:
            await get_user(request, None, given)
        except HTTPException as error:
            if given is not None or error.status_code not in (401, 403):
                raise
            return RedirectResponse(get_auth_manager().get_url_login(next_url=str(request.url)), status_code=303)
        address = request.path_params["address"]
        if not address:
            return RedirectResponse(PurePosixPath(HOME_PAGE).relative_to(PREFIX).as_posix(), status_code=303)
        path = page_file(settings.home, address)
        # Made by a process of its own, for which nobody else's request waits.
        problem = await asyncio.to_thread(home_page.refresh) if address.startswith("site/") else ""
        if path is None or not path.is_file():
            raise HTTPException(404, problem or "no such page: a night's are written when it is registered")
        if problem:
            return HTMLResponse(with_notice(path.read_text(encoding="utf-8"), problem), headers=_HEADERS)
        return FileResponse(path, media_type="text/html; charset=utf-8", headers=_HEADERS)

    return Starlette(routes=[Route("/{address:path}", page)])
