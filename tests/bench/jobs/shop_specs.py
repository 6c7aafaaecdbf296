"""How the pipeline reads the log of `shop_log`, and what it makes of it: 20 recent items, 16 features."""

from __future__ import annotations

from typing import Any

from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.source import Source

LIST_LENGTH = 20
FEATURES: tuple[dict[str, Any], ...] = (
    {"name": "recent_shown_items", "length": LIST_LENGTH},
    {"name": "recent_engaged_items", "length": LIST_LENGTH},
    {"name": "recent_shown_categories", "length": LIST_LENGTH},
    *(
        {"name": name}
        for name in (
            "session_step",
            "n_session_clicks",
            "n_session_carts",
            "n_session_purchases",
            "seconds_since_session_start",
            "seconds_since_previous_event",
            "last_price_band",
            "hour_of_day",
            "day_of_week",
            "n_past_sessions_days",
            "days_since_last_visit",
            "n_past_clicks",
            "n_past_purchases",
        )
    ),
)
HISTORY_DAYS, GAP_MINUTES, MAX_HOURS, WINDOW_HOURS = 7, 30, 6, 12


def source_of(form: str) -> Source:
    """Return the source of a log that is `csv` or `jsonl`."""
    return Source.model_validate(
        {
            "name": f"bench_{form}",
            "title": "A shop's log for measurements",
            "format": form,
            "csv": {"has_header": True} if form == "csv" else None,
            "delivery": {"layout": "dated_files", "files": ["**/events*.csv", "**/events*.jsonl.gz"]},
            "events": {
                "event_time": {"column": "timestamp", "unit": "milliseconds"},
                "event_type": {
                    "column": "event",
                    "map": {"view": "view", "addtocart": "cart", "transaction": "purchase"},
                },
                "user_id": {"column": "visitorid", "required": True},
                "item_id": {"column": "itemid", "required": True},
                "category_id": {"column": "categoryid"},
                "price": {"column": "price", "at_least": 0},
            },
            "duplicates": "keep",
            "lateness_days": 0,
            "session": {"gap_minutes": GAP_MINUTES, "max_hours": MAX_HOURS},
            "decisions": {"kind": "implied", "event_type": "view"},
        }
    )


def pipeline_of(form: str) -> Pipeline:
    """Return the pipeline of the log."""
    scenario = load_pipeline("recommendation", "retailrocket").scenario
    observation = scenario.observation.model_validate({"history_days": HISTORY_DAYS, "features": list(FEATURES)})
    return Pipeline(source=source_of(form), scenario=scenario.model_copy(update={"observation": observation}))
