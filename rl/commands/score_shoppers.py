"""`score-shoppers`: what the champions say of every known shopper, as tables and CSV files a team can use."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from conf.paths import Lake, ShopperModelRun
from conf.publication import publishing
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.shopper_model import load_shopper_model, shopper_model_names
from conf.specs.source import Source, load_source
from conf.specs.spec_hash import code_hash, shopper_model_hash
from rl.errors import RegistryError
from rl.registry.readiness import settle_model
from rl.registry.shopper_models import champion_version, download_model, require_version
from rl.registry.store import open_store
from rl.registry.versions import RegisteredVersion
from rl.shopper_models.activity_reading import read_activity
from rl.shopper_models.scores import score_shoppers
from rl.shopper_models.scores_publishing import ScoresOrigin, publish_scores, scores_table
from rl.shopper_models.stored_model import StoredModel, read_stored_model

log = structlog.get_logger()


def run(*, settings: Settings, source: str, run_date: date, model: str | None, version: int | None) -> dict[str, Any]:
    """Score as of the day after the date, by one model or by every one that has a champion; return a row for each.

    `skipped` says that none has a champion yet: a refusal of the gate is no failure.

    Raises:
        SpecError: no such source or model.
        EvaluationError: the model knows of that day or a later one.
        RegistryError: no such version.
    """
    spec = load_source(source)
    if version is not None and model is None:
        raise RegistryError(f"version {version} of which model? name one by --model")
    names = [model] if model else shopper_model_names()
    for name in names:
        load_shopper_model(name)  # says at once what is wrong with it
    rows = [_scored(settings, spec, name, run_date, version) for name in names]
    result: dict[str, Any] = {
        "source": source,
        "date": str(run_date),
        "as_of": str(run_date + timedelta(days=1)),
        "models": rows,
    }
    if all("skipped" in row for row in rows):
        result["skipped"] = "; ".join(f"{row['name']}: {row['skipped']}" for row in rows)
    return result


def _scored(settings: Settings, source: Source, name: str, run_date: date, number: int | None) -> dict[str, Any]:
    if load_shopper_model(name).is_of_sessions:
        return {"name": name, "skipped": "it is of running sessions, and a table of shoppers has none"}
    lake, as_of = Lake(settings.lake, source.name), run_date + timedelta(days=1)
    with publishing(ShopperModelRun(settings.home, source.name, name, run_date).lock):
        found = _loaded(settings, source.name, name, number)
        if found is None:
            return {"name": name, "skipped": "it has no champion: nothing has passed the gate yet"}
        version, stored = found
        read = read_activity(source, lake, run_date, n_days=stored.model.history_days)
        scores = score_shoppers(read.activity, stored, as_of)
        origin = ScoresOrigin(
            model=name,
            as_of=as_of,
            horizon=run_date,
            spec_hash=shopper_model_hash(stored.model),
            code_hash=code_hash(*(PROJECT_ROOT / folder for folder in ("conf", "rl"))),
            key_id=read.key_id,
            inputs={**read.inputs, f"mlflow/{version.model}/version={version.version}": version.tags["input_key"]},
        )
        pointer, is_new = publish_scores(lake, scores_table(scores, version.version), origin)
    log.info("scored", model=version.model, version=version.version, shoppers=len(scores))
    return {
        "name": name,
        "model": version.model,
        "version": version.version,
        "is_new": is_new,
        "n_shoppers": len(scores),
        "n_scored": int(scores.is_scored.sum()),
        "n_without_consent": read.n_left_out,
        "content_hash": pointer.manifest.content_hash,
        "table": str(lake.shopper_scores(name)),
        "csv": str(lake.shopper_scores_csv(name, as_of)),
    }


def _loaded(
    settings: Settings, source: str, name: str, number: int | None
) -> tuple[RegisteredVersion, StoredModel] | None:
    """Return the version that scores, and its model; None where none is named and none has passed the gate."""
    registered = f"{source}-{name}"
    with open_store(settings) as client:
        settle_model(client, settings, registered)
        if number is None and champion_version(client, registered, source) is None:
            return None
        version = require_version(client, registered, number, source)
        with TemporaryDirectory(prefix="shopper-model-") as folder:
            return version, read_stored_model(download_model(client, version, Path(folder)))
