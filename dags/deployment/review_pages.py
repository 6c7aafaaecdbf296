"""Review pages as Airflow's own web server shows them: behind its login, at an address that approvals link to."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import date
from pathlib import Path
from typing import Any

from conf.paths import Run
from conf.settings import Settings

PREFIX = "/nightcart/pages"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
# The page is one file without scripts. Sandboxed, it has no part in the session of whoever reads it.
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
    return f"{base_url.rstrip('/')}{PREFIX}/{run.source}/{run.scenario}/{run.date}/review.html"


class ReviewPages:
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
            self._app = pages_app(Settings.from_environment().home)
        await self._app(scope, receive, send)


def pages_app(home: Path) -> Any:
    """Return the application that serves a home's review pages to whoever is logged in; others go to the login."""
    from airflow.api_fastapi.app import get_auth_manager  # noqa: PLC0415  (see ReviewPages)
    from airflow.api_fastapi.core_api.security import get_user  # noqa: PLC0415
    from fastapi.security import HTTPAuthorizationCredentials  # noqa: PLC0415
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.exceptions import HTTPException  # noqa: PLC0415
    from starlette.responses import FileResponse, RedirectResponse  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    async def page(request: Any) -> Any:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = HTTPAuthorizationCredentials(scheme=scheme, credentials=token) if token else None
        try:
            await get_user(request, None, given)
        except HTTPException as error:
            if given is not None or error.status_code not in (401, 403):
                raise
            return RedirectResponse(get_auth_manager().get_url_login(next_url=str(request.url)), status_code=303)
        path = page_file(home, **request.path_params)
        if path is None or not path.is_file():
            raise HTTPException(404, "no such review page: it is written when the night is registered")
        return FileResponse(path, media_type="text/html; charset=utf-8", headers=_HEADERS)

    return Starlette(routes=[Route("/{source}/{scenario}/{day}/review.html", page)])


def page_file(home: Path, source: str, scenario: str, day: str) -> Path | None:
    """Return the file of a night's review page; None where the parts of the address name no night."""
    if not (_NAME.fullmatch(source) and _NAME.fullmatch(scenario)):
        return None
    try:
        return Run(home, source, scenario, date.fromisoformat(day)).page
    except ValueError:
        return None
