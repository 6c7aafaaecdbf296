"""`register`: the night's runs, its version with verdict and evidence, and the review page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from conf.paths import Run, monitored_dates
from conf.plain_json import to_json
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import full_spec_hash
from rl.data.description import read_description
from rl.errors import EvaluationError, RegistryChanged, RegistryError
from rl.figures.exploration import PLAN_FILE, ExplorationPlan
from rl.figures.monitor import LedgerFigures, read_monitor
from rl.figures.night import BEHAVIOR, NightFigures, read_figures
from rl.learning.trained_candidates import LoadedCandidate, load_candidates
from rl.orders.trained_orders import TrainedOrders, load_orders_trained
from rl.page.approval_request import approval_request
from rl.page.buyer_page import render_buyer_page
from rl.page.content import HistoryRow
from rl.page.exploration_sentences import plan_sentence
from rl.page.order_sentences import declared_rule_sentence
from rl.page.render import render_page
from rl.page.review_content import review_content
from rl.page.sentences import notes_of
from rl.policy.offer_prices import MILLIONTHS, OfferPrices
from rl.registry.approvals import standing
from rl.registry.champion import load_version_policy
from rl.registry.entry import CLOSE_CALL, SECOND_LOOK, SHARE_CHANGED, CandidateRecord, NightKey, VersionRecord
from rl.registry.history import EarlierVersion, earlier_versions
from rl.registry.looks import LEVEL_TAG
from rl.registry.memory import registry_address
from rl.registry.moved_aliases import refuse_moved_aliases
from rl.registry.promises import EVALUATION_FILE
from rl.registry.pyfunc_model import save_orders_pyfunc, save_pyfunc
from rl.registry.readiness import remember, settle_model
from rl.registry.runs import finish_night_run, night_run, record_candidates
from rl.registry.served_shares import ServedShare, served_shares, tag_shares
from rl.registry.store import experiment_id, open_store
from rl.registry.trials import Trial, begin_trial, read_trials, settle_trial
from rl.registry.versions import (
    RegisteredVersion,
    create_version,
    find_version,
    key_of_same_policy,
    load_version,
    offer_as_challenger,
)

SPECS_FILE = "specs.json"
"""Artifact of a night's run: both specs whole, as the version was made under them."""

Trained = LoadedCandidate | TrainedOrders


def run(*, settings: Settings, source: str, scenario: str, run_date: date) -> dict[str, Any]:
    """Write review.html and registration.json to the run folder and return registration.json's content.

    Raises:
        RegistryError: evaluation, data and candidates aren't of one night.
        RegistryChanged: the night is registered, and somebody moved an alias in MLflow: nobody is asked before it is
            put back.
    """
    pipeline = load_pipeline(scenario, source)  # says at once what is wrong with the names or the specs
    run_paths = Run(settings.home, source, scenario, run_date)
    description = read_description(run_paths)
    result = read_figures(run_paths.evaluation)
    if result.dataset_digest != description.dataset_digest:
        raise RegistryError(
            f"{run_paths.evaluation}: evaluated on dataset {result.dataset_digest}, the prepared one is "
            f"{description.dataset_digest}; evaluate again"
        )
    evaluated = {row.name for row in result.candidates}
    names = [name for name in description.candidates if name in evaluated and not result.is_second_look]
    load: Callable[..., Mapping[str, Trained]] = load_candidates if result.orders is None else load_orders_trained
    candidates = load(run_paths, names, dataset_digest=result.dataset_digest)
    key = night_key(result)
    with open_store(settings) as client:
        registration = _register(client, settings, key, result, candidates, run_paths, pipeline)
        write_atomically(run_paths.registration, to_json(registration, indent=1))
        refuse_moved_aliases(client, settings, key.model)
    return registration


def night_key(result: NightFigures) -> NightKey:
    """Return the key of the night's inputs: two registrations with the same key are the same."""
    night = result.facts
    return NightKey(night.scenario, night.source, night.date, result.dataset_digest, result.spec_hash, result.code_hash)


def candidate_records(result: NightFigures, candidates: Mapping[str, Trained]) -> list[CandidateRecord]:
    """Return the settings, final figures and curves of each candidate, for its child run in MLflow."""
    rows = {row.name: row for row in result.candidates}
    return [
        CandidateRecord(
            name=name,
            params={
                "algorithm": str(loaded.result["algorithm"]),
                **{setting: str(value) for setting, value in loaded.result["settings"].items() if setting != "seeds"},
                "seed": str(loaded.result["seed"]),
                **_params(loaded, rows[name].temperature),
                "device": str(loaded.result["device"]),
            },
            metrics={
                figure: float(value)
                for figure, value in {
                    "validation_value": rows[name].value,
                    "validation_lower": rows[name].lower,
                    "validation_upper": rows[name].upper,
                    "validation_effective_sample_size": rows[name].effective_sample_size,
                    "seconds": rows[name].seconds,
                }.items()
                if value is not None
            },
            curves=loaded.curves,
            is_selected=rows[name].is_selected,
        )
        for name, loaded in candidates.items()
    ]


def _params(trained: Trained, temperature: float) -> dict[str, str]:
    """Return what a candidate's decisions were set by: chance, or the numbers that orders follow."""
    if isinstance(trained, TrainedOrders):
        return {name: str(value) for name, value in trained.result["numbers"].items()}
    return {"temperature": str(temperature), "exploration_floor": str(trained.policy.exploration_floor)}


def version_record(result: NightFigures) -> VersionRecord:
    """Return what the registered version says about itself: verdict, baseline, horizon, description and tags."""
    night, verdict = result.facts, result.verdict
    reasons = "\n".join(f"- {reason}" for reason in (*verdict.reasons, *notes_of(result)))
    stock = ""
    if result.orders is not None and result.orders.simulated_stock:
        stock = f"{result.orders.simulated_stock} {declared_rule_sentence(result, result.orders)}\n\n"
    return VersionRecord(
        verdict=verdict.decision,
        champion_in_force=result.champion_in_force,
        compared_with=result.compared_with,
        horizon=night.date,
        description=(
            f"**{verdict.decision}**: {result.selected.name}, from {night.source} up to {night.date}.\n\n"
            f"{stock}{reasons}\n\n"
            "The review page (review.html) is an artifact of the run."
        ),
        details={
            "candidate": result.selected.name,
            "temperature": f"{result.selected.temperature:g}",
            "policy_version": result.selected.policy_version,
            # A night that had to abstain whatever was earned spent nothing of the allowance, but for a second look that
            # it declares; that look itself spends nothing more.
            LEVEL_TAG: repr(result.spent) if result.spent else "0",
            **_told_tags(result),
            **_money_tags(result),
            **({"stock": "simulated"} if result.orders is not None and result.orders.simulated_stock else {}),
        },
    )


def _told_tags(result: NightFigures) -> dict[str, str]:
    """Return what a list of versions is read by: gain, guardrails, and the share of decisions that change."""
    told = approval_request(result)
    changed = {} if told.share_changed is None else {SHARE_CHANGED: f"{told.share_changed:.6g}"}
    second_look = {SECOND_LOOK: told.second_look} if told.second_look else {}
    close_call = {CLOSE_CALL: told.close_call} if told.close_call else {}
    return {
        "gain": told.gain,
        "rests_on": told.rests_on,
        "changes": told.changes,
        **changed,
        **second_look,
        **close_call,
    }


def _money_tags(result: NightFigures) -> dict[str, str]:
    """Return the weekly budget that the version was judged at, and its price of money; nothing without a budget."""
    prices = result.selected.prices
    if prices is None:
        return {}
    return {"weekly_budget": f"{prices['weekly_budget'] / MILLIONTHS:g}", "price_of_money": f"{prices['price']:.6g}"}


def report_metrics(figures: NightFigures) -> dict[str, float]:
    """Return the figures of the test report for the parent run, named by what each policy was on the night."""
    found: dict[str, float | None] = {}
    for policy in figures.policies:
        role, fullest = figures.role(policy), figures.fullest_report(policy)
        for report in (*figures.told_reports(policy), *figures.told_reports(policy, is_second=True)):
            found[f"{role}/{report.estimator}"] = report.value
            found[f"{role}/{report.estimator}_lower"] = report.lower
            found[f"{role}/{report.estimator}_upper"] = report.upper
        found[f"{role}/effective_sample_size"] = fullest.effective_sample_size
        found[f"{role}/effective_rewarded"] = fullest.n_effective_rewarded
        if policy in figures.truth:
            found[f"{role}/true_value"] = figures.truth[policy].value
    if figures.gain is not None:
        found |= {"gain": figures.gain.value, "gain_lower": figures.gain.lower, "gain_upper": figures.gain.upper}
    return {name: value for name, value in (found | _order_metrics(figures)).items() if value is not None}


def _order_metrics(figures: NightFigures) -> dict[str, float | None]:
    """Return what was found of ways to order, by what each was on the night; nothing where no orders were decided."""
    orders = figures.orders
    if orders is None:
        return {}
    found: dict[str, float | None] = {}
    for way in orders.ways:
        for name in ("service", "stock_outs", "held", "turnover", "missed", "holding", "truth", "wasted", "waste"):
            found[f"{way.role}/{name}"] = getattr(way, name)
        found[f"{way.role}/earned_a_week"] = way.earned.value
    if orders.against_formula is not None:
        against = orders.against_formula
        found |= {"against_formula": against.value, "against_formula_lower": against.lower}
    return found


def _register(
    client: MlflowClient,
    settings: Settings,
    key: NightKey,
    evaluated: NightFigures,
    candidates: Mapping[str, Trained],
    run_paths: Run,
    pipeline: Pipeline,
) -> dict[str, Any]:
    settle_model(client, settings, key.model)
    key = key_of_same_policy(client, key, evaluated.selected.policy_version)
    experiment = experiment_id(client, settings, key.scenario)
    run_id = night_run(client, experiment, key)
    record_candidates(client, experiment, run_id, key=key, candidates=candidate_records(evaluated, candidates))
    found = find_version(client, key)
    if found is None:
        # Before the version, so that a version never lacks the evaluation its verdict comes from.
        client.log_artifact(run_id, str(run_paths.evaluation))
        if full_spec_hash(pipeline) == evaluated.spec_hash:
            client.log_dict(run_id, pipeline.model_dump(mode="json"), SPECS_FILE)
        version, result = _create(client, run_id, key, evaluated, candidates), evaluated
    else:
        version, result = found, _registered_evaluation(client, found, evaluated)
    if (plan := exploration_plan(result, version)) is not None:
        client.log_text(version.run_id, plan.model_dump_json(indent=1), PLAN_FILE)
    _settle_and_declare(client, settings, key, result, version)
    is_challenger = offer_as_challenger(client, version, standing(settings, key.model).rejected)
    tag_shares(client, settings, key.model)
    remember(client, settings, key.model)
    ledger = newest_ledger(settings.home, run_paths)
    write_atomically(run_paths.page, _page(client, settings, result, version, ledger))
    finish_night_run(client, run_id, key=key, metrics=report_metrics(result), files=[run_paths.page])
    registration = _registration(result, version) | {"is_challenger": is_challenger, "is_new": found is None}
    return {**registration, "page": str(run_paths.page)}


def _settle_and_declare(
    client: MlflowClient, settings: Settings, key: NightKey, result: NightFigures, version: RegisteredVersion
) -> None:
    """Write down how the second look ended that the night took, and the one that it declares; again, nothing changes.

    The version comes first, with its level: killed in between, a repeat finds version and evaluation and ends alike.
    """
    if (taken := result.taken) is not None:
        trial = next((one for one in read_trials(settings, key.model) if one.version == taken.version), None)
        if trial is not None:
            settle_trial(client, settings, trial, outcome=taken.outcome, on=key.date, why=taken.why)
    if (declared := result.declared) is not None:
        trial = Trial(
            registry=registry_address(settings),
            model=key.model,
            source=key.source,
            version=version.version,
            night=key.date,
            planned=declared.planned,
            level=declared.level,
            policy_version=result.selected.policy_version,
            champion_in_force=result.champion_in_force,
            compared_with=result.compared_with,
            spec_hash=result.spec_hash,
            splits=declared.splits,
        )
        begin_trial(client, settings, trial)


def _registered_evaluation(client: MlflowClient, version: RegisteredVersion, evaluated: NightFigures) -> NightFigures:
    """Return the evaluation that the version was registered with: its verdict stands, whatever the gate says today.

    Where its run was deleted for good, the run folder's own evaluation of the same policy stands in.
    """
    try:
        with TemporaryDirectory(prefix="evaluation-") as folder:
            return read_figures(Path(client.download_artifacts(version.run_id, EVALUATION_FILE, folder)))
    except (MlflowException, OSError, EvaluationError) as error:
        told = evaluated.selected.policy_version, evaluated.verdict.decision
        if told != (version.tags.get("policy_version"), version.tags.get("verdict")):
            raise RegistryChanged(
                f"{version.model} version {version.version}: the evaluation that it was registered with is gone from "
                f"MLflow's run {version.run_id}; restore the run, or delete the version and register the night again"
            ) from error
        structlog.get_logger().warning("the registered evaluation is gone from MLflow", run=version.run_id)
        return evaluated


def _registration(result: NightFigures, version: RegisteredVersion) -> dict[str, Any]:
    night, verdict = result.facts, result.verdict
    return {
        "scenario": night.scenario,
        "source": night.source,
        "date": str(night.date),
        "model": version.model,
        "version": version.version,
        "verdict": verdict.decision,
        "reasons": list(verdict.reasons),
        "dataset_digest": result.dataset_digest,
        "champion_in_force": result.champion_in_force,
        "compared_with": result.compared_with,
        "run_id": version.run_id,
        "request": approval_request(result).model_dump(mode="json"),
        **_exploration(result),
    }


def _exploration(result: NightFigures) -> dict[str, str]:
    """Return the night's exploration plan in a sentence; nothing where there is none."""
    found = result.exploration
    if found is None or found.refusal is not None:
        return {}
    return {"exploration": plan_sentence(found, reward_unit=result.facts.reward_unit)}


def exploration_plan(result: NightFigures, version: RegisteredVersion) -> ExplorationPlan | None:
    """Return the plan that a service could follow; None where there is none, or no champion to explore beside."""
    found = result.exploration
    is_beside_champion = result.compared_with == result.champion_in_force != BEHAVIOR
    if found is None or found.refusal is not None or not is_beside_champion:
        return None
    return ExplorationPlan(
        model=version.model,
        version=version.version,
        champion=int(result.champion_in_force),
        dimension=found.dimension,
        shares={one.label: one.share for one in found.shoppers},
        last_day=result.facts.date + timedelta(days=found.planned_nights),
    )


def _create(
    client: MlflowClient,
    run_id: str,
    key: NightKey,
    result: NightFigures,
    candidates: Mapping[str, Trained],
) -> RegisteredVersion:
    with _model_of(client, key, result, candidates) as folder:
        return create_version(client, run_id, key=key, record=version_record(result), model_folder=folder)


@contextmanager
def _model_of(
    client: MlflowClient, key: NightKey, result: NightFigures, candidates: Mapping[str, Trained]
) -> Iterator[Path]:
    """Yield the folder of the night's model; of a second look that passed, the frozen version's policy."""
    if not result.is_second_look or result.taken is None:
        with _staged_model(result, candidates) as folder:
            yield folder
        return
    frozen = load_version(client, key.model, result.taken.version)
    policy = None if frozen is None else load_version_policy(client, frozen)
    if policy is None or policy.version != result.selected.policy_version:
        found = "is gone" if policy is None else f"holds {policy.version}"
        raise RegistryError(
            f"{key.model} version {result.taken.version} {found}, evaluated was {result.selected.policy_version}; "
            "evaluate again"
        )
    with TemporaryDirectory(prefix="staged-model-") as name:
        policy.save(Path(name) / "policy")
        save_pyfunc(Path(name) / "policy", Path(name) / "model")
        yield Path(name) / "model"


@contextmanager
def _staged_model(result: NightFigures, candidates: Mapping[str, Trained]) -> Iterator[Path]:
    """Write the selected policy, at its chosen temperature, as an MLflow model without pickle; yield its folder."""
    selected, trained = result.selected, candidates[result.selected.name]
    if isinstance(trained, TrainedOrders):
        if trained.policy.version != selected.policy_version:
            raise RegistryError(
                f"candidate {selected.name} is now {trained.policy.version}, evaluated was {selected.policy_version}; "
                "evaluate again"
            )
        with TemporaryDirectory(prefix="staged-model-") as folder:
            trained.policy.save(Path(folder) / "policy")
            save_orders_pyfunc(Path(folder) / "policy", Path(folder) / "model")
            yield Path(folder) / "model"
        return
    kept = trained.checkpoints.get(selected.update)
    prices = None if selected.prices is None else OfferPrices.from_json(selected.prices)
    policy = None if kept is None else kept.with_temperature(selected.temperature).with_prices(prices)
    if policy is None or policy.version != selected.policy_version:
        found = f"has no network after {selected.update} updates" if policy is None else f"is now {policy.version}"
        raise RegistryError(
            f"candidate {selected.name} {found}, evaluated was {selected.policy_version}; evaluate again"
        )
    with TemporaryDirectory(prefix="staged-model-") as folder:
        policy.save(Path(folder) / "policy")
        save_pyfunc(Path(folder) / "policy", Path(folder) / "model")
        yield Path(folder) / "model"


def newest_ledger(home: Path, night: Run) -> LedgerFigures | None:
    """Return the ledger of launches of the newest look at what is served, up to the night's date; None without one.

    A look of another form than this release's is passed over with a warning: the next one writes it anew.
    """
    looks = [day for day in monitored_dates(home, night.source, night.scenario) if day <= night.date]
    if not looks:
        return None
    try:
        return read_monitor(Run(home, night.source, night.scenario, looks[-1]).monitor).ledger
    except EvaluationError as error:
        structlog.get_logger().warning("the page lacks the ledger of launches", why=str(error))
        return None


def _page(
    client: MlflowClient,
    settings: Settings,
    figures: NightFigures,
    version: RegisteredVersion,
    ledger: LedgerFigures | None,
) -> str:
    shares = served_shares(settings, version.model)
    history = tuple(_history_row(one, shares) for one in earlier_versions(client, version))
    model, number, run_id = version.model, version.version, version.run_id
    if figures.orders is not None:
        return render_buyer_page(figures, figures.orders, model=model, version=number, run_id=run_id, history=history)
    content = review_content(figures, model=model, version=number, run_id=run_id, history=history, ledger=ledger)
    own = shares.get(number)
    return render_page(content.model_copy(update={"serves": None if own is None else own.words}))


def _history_row(earlier: EarlierVersion, shares: Mapping[int, ServedShare]) -> HistoryRow:
    version, share = earlier.version, shares.get(earlier.version.version)
    return HistoryRow(
        version=version.version,
        date=earlier.date,
        source=version.tags["source"],
        verdict=version.tags["verdict"],
        candidate=version.tags.get("candidate", ""),
        against=earlier.compared_with,
        champion_in_force=version.champion_in_force or "",
        gain=earlier.gain,
        lower=earlier.lower,
        upper=earlier.upper,
        aliases=earlier.aliases,
        serves=None if share is None else share.words,
    )
