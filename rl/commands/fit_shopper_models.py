"""`fit-shopper-models`: who will buy, leave or spend, learned from the published events, judged and registered."""

from __future__ import annotations

import json
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from conf.paths import Lake, ShopperModelRun
from conf.plain_json import to_json
from conf.publication import publishing, write_atomically
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.shopper_model import ShopperModel, load_shopper_model, shopper_model_names
from conf.specs.source import Source, load_source
from conf.specs.spec_hash import code_hash, shopper_model_hash
from rl.errors import NothingToLearn
from rl.registry.entry import ShopperModelKey
from rl.registry.readiness import remember, settle_model
from rl.registry.shopper_models import (
    ShopperVerdict,
    champion_version,
    download_model,
    register_shopper_model,
    registered_figures,
    settle_aliases,
)
from rl.registry.store import experiment_id, open_store
from rl.registry.versions import RegisteredVersion, find_version, key_of_same_policy
from rl.shopper_models.activity_reading import ReadActivity, read_activity
from rl.shopper_models.champion_comparison import compare_with_champion, gate_over_champion
from rl.shopper_models.figures import ShopperModelFigures
from rl.shopper_models.fitting import EPOCH, Fit, fit_shopper_model
from rl.shopper_models.judging import learner_figures, paired_differences
from rl.shopper_models.page import render_shopper_page
from rl.shopper_models.session_reading import read_sessions
from rl.shopper_models.stored_model import StoredModel, read_stored_model

EXPERIMENT = "shopper-models"

log = structlog.get_logger()


def run(*, settings: Settings, source: str, run_date: date, model: str | None) -> dict[str, Any]:
    """Fit one model, or each of `conf/models`, and return a row for each; `skipped` where none can be learned yet.

    Raises:
        SpecError: no such source or model.
        DatasetError: nothing was ingested for the date.
        RegistryError: MLflow doesn't answer.
    """
    spec = load_source(source)
    models = [load_shopper_model(name) for name in ([model] if model else shopper_model_names())]
    n_days = max(one.history_days + one.horizon_days + one.step_days * one.n_as_of_days for one in models)
    read = read_activity(spec, Lake(settings.lake, source), run_date, n_days=n_days)
    log.info("read", shoppers=len(read.activity.shoppers), rows=len(read.activity), left_out=read.n_left_out)
    rows = [_fitted(settings, spec, one, read, run_date) for one in models]
    result: dict[str, Any] = {
        "source": source,
        "date": str(run_date),
        "n_shoppers": len(read.activity.shoppers),
        "n_without_consent": read.n_left_out,
        "models": rows,
    }
    if all("skipped" in row for row in rows):
        result["skipped"] = "; ".join(f"{row['name']}: {row['skipped']}" for row in rows)
    return result


def _fitted(
    settings: Settings, source: Source, model: ShopperModel, read: ReadActivity, run_date: date
) -> dict[str, Any]:
    """Return what became of one model; its run folder holds figures, page and registration."""
    paths = ShopperModelRun(settings.home, source.name, model.name, run_date)
    key = model_key(source, model, read, run_date)
    with publishing(paths.lock):
        champion, stored = None, None
        with open_store(settings) as client:
            settle_model(client, settings, key.model)
            found = find_version(client, key)
            if found is not None:
                figures = ShopperModelFigures.model_validate_json(registered_figures(client, found))
                return _finished(settings, client, found, figures, paths, is_new=False)
            champion = champion_version(client, key.model, source.name)
            if champion is not None:
                with TemporaryDirectory(prefix="champion-") as folder:
                    stored = read_stored_model(download_model(client, champion, Path(folder)))
        try:
            return _registered_anew(settings, source, model, read, key, paths, champion=champion, stored=stored)
        except NothingToLearn as error:
            return {"name": model.name, "skipped": str(error)}


def _registered_anew(
    settings: Settings,
    source: Source,
    model: ShopperModel,
    read: ReadActivity,
    key: ShopperModelKey,
    paths: ShopperModelRun,
    *,
    champion: RegisteredVersion | None,
    stored: StoredModel | None,
) -> dict[str, Any]:
    lake = Lake(settings.lake, source.name)
    running = read_sessions(source, lake, key.date, model) if model.is_of_sessions else None
    fit = fit_shopper_model(read.activity, model, running)
    new = _stored(fit, model, key.source)
    with open_store(settings) as client:
        same = find_version(client, key_of_same_policy(client, key, new.digest))
        if same is not None:  # other code learned the same from the same: its verdict stands
            figures = ShopperModelFigures.model_validate_json(registered_figures(client, same))
            return _finished(settings, client, same, figures, paths, is_new=False)
    name = "" if champion is None else f"champion (version {champion.version})"
    compared = (
        None if stored is None else compare_with_champion(fit, read.activity, model, stored, name=name, running=running)
    )
    every = learner_figures(fit, model)
    own, constant = (next(one for one in every if one.name == wanted) for wanted in (model.learners[0], "constant"))
    differences = paired_differences(fit, model)
    figures = ShopperModelFigures(
        model=model,
        source=key.source,
        horizon=key.date,
        known_until=new.known_until,
        counts=fit.counts,
        learner=model.learners[0],
        learners=every,
        differences=(*differences, compared.difference) if compared and compared.difference else differences,
        refused={**fit.refused, **({compared.name: compared.note} if compared and compared.note else {})},
        gate=gate_over_champion(own, constant, model, compared),
        digest=key.dataset_digest,
    )
    figures.write(paths.figures)
    verdict = ShopperVerdict(
        verdict=figures.gate.verdict,
        reasons=figures.gate.reasons,
        champion=champion.version if champion else None,
        compared_with=champion.version if champion and compared and compared.difference else None,
        horizon=key.date,
        known_until=figures.known_until,
        policy_version=new.digest,
        metrics=figure_metrics(figures),
    )
    write_atomically(paths.page, render_shopper_page(figures))
    with TemporaryDirectory(prefix="shopper-model-") as folder, open_store(settings) as client:
        new.write(Path(folder))
        version = register_shopper_model(
            client,
            experiment_id(client, settings, EXPERIMENT),
            key,
            verdict,
            model_folder=Path(folder),
            files=(paths.figures, paths.page),
        )
        return _finished(settings, client, version, figures, paths, is_new=True)


def _finished(
    settings: Settings,
    client: Any,
    version: RegisteredVersion,
    figures: ShopperModelFigures,
    paths: ShopperModelRun,
    *,
    is_new: bool,
) -> dict[str, Any]:
    """Settle the aliases, write the run folder's files and return the registration."""
    stands = settle_aliases(client, version)
    remember(client, settings, version.model)
    figures.write(paths.figures)
    write_atomically(paths.page, render_shopper_page(figures))
    own = figures.of(figures.learner)
    registration = {
        "name": figures.model.name,
        "source": figures.source,
        "date": str(figures.horizon),
        "model": version.model,
        "version": version.version,
        "verdict": figures.gate.verdict,
        "reasons": list(figures.gate.reasons),
        "is_new": is_new,
        "is_champion": stands.is_champion,
        "known_until": str(figures.known_until),
        "n_test": figures.counts.n_test,
        "loss": own.loss.model_dump(),
        "skill": own.skill.model_dump(),
        "slope": own.slope and own.slope.model_dump(),
        "auc": own.auc and own.auc.model_dump(),
        "page": str(paths.page),
    }
    write_atomically(paths.registration, to_json(registration, indent=1))
    log.info("registered", model=version.model, version=version.version, verdict=figures.gate.verdict)
    return registration


def model_key(source: Source, model: ShopperModel, read: ReadActivity, run_date: date) -> ShopperModelKey:
    """Return what makes two fits the same: what was read, the spec with the source's zone and lateness, the code."""
    content = [read.inputs, read.key_id, source.zone, source.lateness_days]
    return ShopperModelKey(
        scenario=model.name,
        source=source.name,
        date=run_date,
        dataset_digest=sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()[:32],
        spec_hash=shopper_model_hash(model),
        code_hash=code_hash(*(PROJECT_ROOT / name for name in ("conf", "rl"))),
    )


def figure_metrics(figures: ShopperModelFigures) -> dict[str, float]:
    """Return the figures of every learner and rule for MLflow, such as `trees_slope_lower`."""
    found: dict[str, float] = {}
    for one in figures.learners:
        for name in ("loss", "skill", "log_loss", "auc", "slope", "intercept"):
            figure = getattr(one, name)
            if figure is not None:
                found |= {
                    f"{one.name}_{name}": figure.value,
                    f"{one.name}_{name}_lower": figure.lower,
                    f"{one.name}_{name}_upper": figure.upper,
                }
    return found


def _stored(fit: Fit, model: ShopperModel, source: str) -> StoredModel:
    known_until = EPOCH + timedelta(days=fit.known_until)
    return StoredModel(model, source, known_until, fit.test.feature_names, fit.learners[model.learners[0]])
