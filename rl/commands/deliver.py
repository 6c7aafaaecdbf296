"""`deliver`: a simulated shop's next days, beside those that it delivered before."""

from __future__ import annotations

from typing import Any

import structlog

from conf.paths import simulated_shop
from conf.settings import Settings
from rl.errors import ShopError
from rl.shops.delivering_shops import DELIVERING_SHOPS
from rl.shops.next_day import LOGS_FOLDER, delivering

log = structlog.get_logger()


def run(*, settings: Settings, source: str, n_days: int) -> dict[str, Any]:
    """Deliver the next days of the source's simulated shop; return their dates and the folder of its logs.

    Raises:
        ShopError: no simulated shop of that source goes on, it wasn't written yet, or it can't be written.
    """
    deliver_next_day = DELIVERING_SHOPS.get(source)
    if deliver_next_day is None:
        raise ShopError(
            f"no further days can be delivered for source {source!r}; expected one of {', '.join(DELIVERING_SHOPS)}"
        )
    folder = simulated_shop(settings.home, source)
    if not (folder / LOGS_FOLDER).is_dir():
        raise ShopError(f"{folder}: no simulated shop yet; make nightly SOURCE={source} writes it")
    days = []
    with delivering(folder):
        for _ in range(n_days):
            days.append(str(deliver_next_day(folder)))
            log.info("delivered", source=source, date=days[-1])
    return {"source": source, "days": days, "logs": str(folder / LOGS_FOLDER)}
