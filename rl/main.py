"""Command lines of the learning side; each command's module is imported only when it runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from conf.errors import NightcartError, StoreUnreachable, exit_code
from conf.plain_json import to_json
from conf.priority import lowered_priority
from conf.private_home import keep_private, refuse_unwritable
from conf.settings import Settings
from conf.shared_lake.following import follow_store
from rl.commands.night_turn import own_turn_of
from rl.commands.step_seconds import timed
from rl.logs import configure_logs

NOTHING_TO_DO = 99

_OF_THIS_HOME_ALONE = ("forget", "deliver", "loop", "pseudonyms")

app = typer.Typer(
    name="rl",
    help="Datasets, training, evaluation and registry of one night's run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SourceName = Annotated[str, typer.Option("--source", help="Source, as in conf/sources/NAME.yaml.")]
ScenarioName = Annotated[str, typer.Option("--scenario", help="Scenario, as in conf/scenarios/NAME.yaml.")]
RunDate = Annotated[
    datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="Business date of the run (the horizon).")
]


@app.command("simulate-shop")
def simulate_shop(
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: in the home.")] = None,
    last_date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last business date; default: the embedded shop's.")
    ] = None,
    n_days: Annotated[int | None, typer.Option(min=1, help="Days of logs.")] = None,
    n_shoppers: Annotated[int | None, typer.Option(min=1, help="Shoppers.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the shop and its shoppers.")] = None,
) -> None:
    """Write days of a simulated shop's logs."""
    _run_command(
        "simulate_shop",
        out=out,
        last_date=last_date and last_date.date(),
        n_days=n_days,
        n_shoppers=n_shoppers,
        seed=seed,
    )


@app.command("simulate-promotion")
def simulate_promotion(
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: in the home.")] = None,
    last_date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last business date, a Sunday; default: the shop's.")
    ] = None,
    n_weeks: Annotated[int | None, typer.Option(min=1, help="Weeks of logs.")] = None,
    n_shoppers: Annotated[int | None, typer.Option(min=1, help="Shoppers.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the shoppers and their weeks.")] = None,
) -> None:
    """Write weeks of the logs of a simulated shop that sends offers, and the true values of fixed policies."""
    _run_command(
        "simulate_promotion",
        out=out,
        last_date=last_date and last_date.date(),
        n_weeks=n_weeks,
        n_shoppers=n_shoppers,
        seed=seed,
    )


@app.command("simulate-inventory")
def simulate_inventory(
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: in the home.")] = None,
    last_date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last business date; default: the shop's.")
    ] = None,
    n_days: Annotated[int | None, typer.Option(min=28, help="Days of logs.")] = None,
    n_products: Annotated[int | None, typer.Option(min=1, help="Products.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of what happens on the days.")] = None,
    weekdays: Annotated[
        list[str] | None,
        typer.Option(
            "--weekday", help="Day on which the buyer orders, such as monday; repeatable. Default: every day."
        ),
    ] = None,
) -> None:
    """Write days of the logs of a simulated shop that orders stock, and the exact record of its units and money."""
    _run_command(
        "simulate_inventory",
        out=out,
        last_date=last_date and last_date.date(),
        n_days=n_days,
        n_products=n_products,
        seed=seed,
        weekdays=weekdays,
    )


@app.command("deliver")
def deliver(
    source: SourceName,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days.")] = 1,
) -> None:
    """Deliver a simulated shop's next days; those before stay as they are."""
    _run_command("deliver", source=source, n_days=days)


@app.command("prepare")
def prepare(source: SourceName, scenario: ScenarioName, run_date: RunDate) -> None:
    """Assemble the dataset and write it: vocabulary, splits, encoder."""
    _run_command("prepare", source=source, scenario=scenario, run_date=run_date.date())


@app.command("worth")
def worth(
    source: SourceName,
    scenario: ScenarioName,
    run_date: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Horizon; default: the last date built.")
    ] = None,
) -> None:
    """Write, before any training, whether looking ahead can pay on this log, and what it can show."""
    _run_command("worth", source=source, scenario=scenario, run_date=run_date and run_date.date())


@app.command("experiment")
def experiment(
    source: SourceName,
    scenario: ScenarioName,
    run_date: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Horizon; default: the last date built.")
    ] = None,
) -> None:
    """Write what a log of known propensities tells, read as an experiment: who is moved by what."""
    _run_command("experiment", source=source, scenario=scenario, run_date=run_date and run_date.date())


@app.command("train")
def train(
    source: SourceName,
    scenario: ScenarioName,
    run_date: RunDate,
    candidate: Annotated[str, typer.Option(help="Candidate, such as discrete_cql-1 (algorithm, seed).")],
) -> None:
    """Train one candidate."""
    _run_command("train", source=source, scenario=scenario, run_date=run_date.date(), candidate=candidate)


@app.command("evaluate")
def evaluate(
    source: SourceName,
    scenario: ScenarioName,
    run_date: RunDate,
    is_training_over: Annotated[
        bool, typer.Option("--training-is-over", help="Leave out and name candidates whose training failed.")
    ] = False,
) -> None:
    """Choose a candidate on validation episodes, report on test episodes, apply the gate."""
    _run_command(
        "evaluate", source=source, scenario=scenario, run_date=run_date.date(), is_training_over=is_training_over
    )


@app.command("register")
def register(source: SourceName, scenario: ScenarioName, run_date: RunDate) -> None:
    """Register the night's selected candidate with its evidence."""
    _run_command("register", source=source, scenario=scenario, run_date=run_date.date())


@app.command("promote")
def promote(
    source: SourceName,
    scenario: ScenarioName,
    run_date: RunDate,
    version: Annotated[int, typer.Option(min=1, help="Version of the registered model that was approved.")],
    who: Annotated[
        list[str] | None, typer.Option("--who", help="Who approves it, twice for two people; default: this user.")
    ] = None,
    why: Annotated[
        list[str] | None, typer.Option("--why", help="Reason of each, in their order, kept in the record of approvals.")
    ] = None,
) -> None:
    """Make an approved version the champion."""
    _run_command(
        "promote",
        source=source,
        scenario=scenario,
        run_date=run_date.date(),
        version=version,
        who=who or (),
        why=why or (),
    )


WhatScenario = Annotated[str, typer.Option("--scenario", help="Scenario whose policy it is about.")]
Why = Annotated[str, typer.Option("--why", help="Reason, kept in the record of approvals.")]
Who = Annotated[str | None, typer.Option("--who", help="Name of the person; default: this user.")]


@app.command("reject")
def reject(
    scenario: WhatScenario,
    version: Annotated[int, typer.Option(min=1, help="Version of the registered model that is rejected.")],
    why: Why,
    who: Who = None,
    is_overdue: Annotated[bool, typer.Option("--overdue", help="Nobody answered in time.")] = False,
) -> None:
    """Reject a version that passed the gate: it is no challenger, and nothing approves it any more."""
    _run_command("reject", scenario=scenario, version=version, why=why, who=who, is_overdue=is_overdue)


@app.command("review")
def review(
    scenario: Annotated[str | None, typer.Option("--scenario", help="Whose versions; default: all scenarios'.")] = None,
) -> None:
    """List what waits for a person's answer, and fail where somebody moved an alias in MLflow."""
    _run_command("review", scenario=scenario)


@app.command("home")
def home() -> None:
    """Write the home page and the pages of tables, from what runs left."""
    _run_command("home")


@app.command("compare")
def compare(
    scenario: WhatScenario,
    a: Annotated[int, typer.Option("--a", min=1, help="Version that is compared with, such as the champion.")],
    b: Annotated[int, typer.Option("--b", min=1, help="The other version.")],
) -> None:
    """Write a page that holds two versions against each other: specs, data, values, decisions."""
    _run_command("compare", scenario=scenario, a=a, b=b)


@app.command("restore-aliases")
def restore_aliases(scenario: WhatScenario) -> None:
    """Put aliases that somebody moved in MLflow back to where the home's record says."""
    _run_command("restore_aliases", scenario=scenario)


@app.command("rollback")
def rollback(scenario: WhatScenario, why: Why, who: Who = None) -> None:
    """Make the champion before the present one champion again; after a first one the shop decides."""
    _run_command("switch", told_as="rollback", scenario=scenario, what="rollback", why=why, who=who)


@app.command("off")
def off(scenario: WhatScenario, why: Why, who: Who = None) -> None:
    """Let services serve the fallback alone."""
    _run_command("switch", told_as="off", scenario=scenario, what="off", why=why, who=who)


@app.command("on")
def on(scenario: WhatScenario, why: Why, who: Who = None) -> None:
    """Let services serve the champion again."""
    _run_command("switch", told_as="on", scenario=scenario, what="on", why=why, who=who)


@app.command("control")
def control(
    scenario: WhatScenario,
    why: Why,
    version: Annotated[
        int | None, typer.Option(min=1, help="Version that decided before; default: the shop's own decision again.")
    ] = None,
    who: Who = None,
) -> None:
    """Let a version that decided before decide for the control group, or leave the group to the shop."""
    _run_command("switch", told_as="control", scenario=scenario, what="control", why=why, who=who, version=version)


@app.command("explore")
def explore(
    scenario: WhatScenario,
    why: Why,
    version: Annotated[
        int | None, typer.Option(min=1, help="Version whose exploration plan is followed; default: none any more.")
    ] = None,
    who: Who = None,
) -> None:
    """Let services follow the exploration plan of a version, or end the one that they follow."""
    _run_command("switch", told_as="explore", scenario=scenario, what="explore", why=why, who=who, version=version)


@app.command("rollout")
def rollout(
    source: SourceName,
    scenario: ScenarioName,
    run_date: RunDate,
    decisions: Annotated[
        Path | None, typer.Option(help="Folder of the service's log, for days in the shadow; default: in the home.")
    ] = None,
) -> None:
    """Look at the version that is rolled out by stages: it grows, holds or goes back."""
    _run_command("rollout", source=source, scenario=scenario, run_date=run_date.date(), decisions=decisions)


@app.command("serve")
def serve(  # noqa: PLR0913, PLR0917  (each is an option of the command)
    source: SourceName,
    scenario: ScenarioName,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond loopback a key is needed.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8090,
    rules: Annotated[Path | None, typer.Option(help="YAML file of the shop's own rules.")] = None,
    decisions: Annotated[Path | None, typer.Option(help="Folder of the decision log; default: in the home.")] = None,
    max_history_age: Annotated[int, typer.Option(min=0, help="Days after which histories aren't used.")] = 2,
    is_replaying: Annotated[bool, typer.Option("--replay", help="Take the decision's time from requests.")] = False,
    today: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day that counts as today; for simulated shops, whose days are past."),
    ] = None,
) -> None:
    """Decide in the shop, until told to end."""
    _run_command(
        "serve",
        source=source,
        scenario=scenario,
        host=host,
        port=port,
        rules=rules,
        decisions=decisions,
        max_history_age=max_history_age,
        is_replaying=is_replaying,
        today=today and today.date(),
    )


@app.command("preview")
def preview(
    source: SourceName,
    scenario: ScenarioName,
    rules: Annotated[Path, typer.Option(help="YAML file of the shop's own rules, as serve takes it.")],
    version: Annotated[int | None, typer.Option(min=1, help="Version of the policy; default: the champion.")] = None,
    n_shoppers: Annotated[int, typer.Option("--shoppers", min=1, help="Shoppers of the sample.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
) -> None:
    """Show what rules would change in tomorrow's decisions of some shoppers."""
    _run_command(
        "preview",
        source=source,
        scenario=scenario,
        rules=rules,
        version=version,
        n_shoppers=n_shoppers,
        seed=seed,
    )


@app.command("decide")
def decide(  # noqa: PLR0913, PLR0917  (each is an option of the command)
    source: SourceName,
    scenario: ScenarioName,
    run_date: RunDate,
    version: Annotated[int | None, typer.Option(min=1, help="Version of the policy; default: the champion.")] = None,
    budget: Annotated[
        float | None, typer.Option(min=0, help="Of the week, in the unit of the reward; default: the scenario's.")
    ] = None,
    positions: Annotated[int | None, typer.Option(min=1, help="Recommendations for each shopper; default: 1.")] = None,
    hour: Annotated[
        int | None, typer.Option(min=0, max=23, help="Of the day, in the shop's zone, that they are for; default: 6.")
    ] = None,
    availability_id: Annotated[
        str | None, typer.Option(help="Set of what may be recommended; default: the one in force then.")
    ] = None,
    stock: Annotated[
        Path | None,
        typer.Option(help="CSV of what the shop has (item_id, on_hand, on_the_way), where the log counts no stock."),
    ] = None,
) -> None:
    """Write the list of the day after the date: of the week that starts, of orders, or of recommendations."""
    asked = {"positions": positions, "hour": hour, "availability_id": availability_id}
    _run_command(
        "decide",
        source=source,
        scenario=scenario,
        run_date=run_date.date(),
        version=version,
        budget=budget,
        asked={name: value for name, value in asked.items() if value is not None},
        stock=stock,
    )


@app.command("monitor")
def monitor(
    source: SourceName,
    scenario: ScenarioName,
    run_date: RunDate,
    decisions: Annotated[
        Path | None, typer.Option(help="Folder of the service's decision log; default: in the home.")
    ] = None,
) -> None:
    """Hold what the champion earned beside what was promised, and watch what is served."""
    _run_command("monitor", source=source, scenario=scenario, run_date=run_date.date(), decisions=decisions)


ModelName = Annotated[str | None, typer.Option("--model", help="Model, as in conf/models/NAME.yaml; default: each.")]


@app.command("fit-shopper-models")
def fit_shopper_models(source: SourceName, run_date: RunDate, model: ModelName = None) -> None:
    """Learn what shoppers will do from all that was delivered up to the date, judge it and register it."""
    _run_command("fit_shopper_models", source=source, run_date=run_date.date(), model=model)


@app.command("score-shoppers")
def score_shoppers(
    source: SourceName,
    run_date: RunDate,
    model: ModelName = None,
    version: Annotated[int | None, typer.Option(min=1, help="Version of the model; default: the champion.")] = None,
) -> None:
    """Write what models say of every known shopper as of the day after the date."""
    _run_command("score_shoppers", source=source, run_date=run_date.date(), model=model, version=version)


@app.command("loop")
def loop(
    scenario: ScenarioName = "recommendation",
    seed: Annotated[int, typer.Option(min=1, help="Seed of the shop and its shoppers.")] = 1,
    n_days: Annotated[int, typer.Option("--days", min=1, help="Days that end with a night.")] = 14,
    n_past: Annotated[
        int | None, typer.Option("--past", min=1, help="Days before, by the shop's own rule; default: the scenario's.")
    ] = None,
) -> None:
    """Run days and nights of a simulated shop whose service serves what its nights promote."""
    _run_command("loop", scenario=scenario, seed=seed, n_days=n_days, n_past=n_past)


@app.command("pseudonyms")
def pseudonyms(
    ids: Annotated[Path, typer.Option(help="File of the shop's own ids: CSV with a header, or one a line.")],
    out: Annotated[Path, typer.Option(help="CSV file to write; it must not exist.")],
    column: Annotated[str | None, typer.Option(help="Column of the CSV file; default: whole lines.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Source whose shoppers they are; default: all that the home has tables of.")
    ] = None,
) -> None:
    """Write what a shop's own ids are called in lists and tables."""
    _run_command("pseudonyms", ids=ids, column=column, out=out, source=source)


@app.command("forget")
def forget(
    source: SourceName,
    is_confirmed: Annotated[bool, typer.Option("--yes", help="Remove; without it, say what would be removed.")] = False,
    is_forced: Annotated[bool, typer.Option("--force", help="Even where a policy learned from it may serve.")] = False,
) -> None:
    """Remove all data of a source from the home."""
    _run_command("forget", source=source, is_confirmed=is_confirmed, is_forced=is_forced)


@app.command("retrain")
def retrain(source: SourceName, scenario: ScenarioName, run_date: RunDate) -> None:
    """Train once on what a backfill made: from the dataset to the registry's entry; nothing is promoted."""
    _run_command("retrain", source=source, scenario=scenario, run_date=run_date.date())


@app.command("vacuum")
def vacuum(
    is_confirmed: Annotated[bool, typer.Option("--yes", help="Remove; without it, say what would be removed.")] = False,
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=1, help="Days that logs, pins and the history of Delta tables stay.")
    ] = 30,
) -> None:
    """Remove what nobody needs any more: superseded table versions, checkpoints, old logs, what kills left."""
    _run_command("vacuum", is_confirmed=is_confirmed, keep_days=keep_days)


@app.command("backup")
def backup(
    out: Annotated[Path, typer.Option(help="Folder to write to; it must not exist, or be empty.")],
) -> None:
    """Copy all that the home can't make anew, databases too, as it stands at one moment."""
    _run_command("backup", out=out)


@app.command("restore")
def restore(
    backup: Annotated[Path, typer.Option("--from", help="Folder of a backup.")],
    is_forced: Annotated[
        bool, typer.Option("--force", help="Set aside what the home and its databases hold, instead of refusing.")
    ] = False,
) -> None:
    """Make the home what a backup holds, once all of it was found whole."""
    _run_command("restore", backup=backup, is_forced=is_forced)


@app.command("open-registry")
def open_registry() -> None:
    """Make the registry's database where there is none, and check what is there."""
    _run_command("open_registry")


@app.command("upgrade-registry")
def upgrade_registry() -> None:
    """Bring MLflow's database to the installed MLflow's schema, after a copy of it was made."""
    _run_command("upgrade_registry")


def _run_command(name: str, *, told_as: str = "", **arguments: object) -> None:
    """Run the command, print its result as the last line, and turn an error into one message and its exit code.

    Where they were raised is told at NIGHTCART_LOG_LEVEL=debug.

    Args:
        name: of the module.
        told_as: what the command is called where it is typed; empty where as the module.
        arguments: of its `run`.
    """
    shown, is_debugging = told_as or name, False
    try:
        settings = Settings.from_environment()
        is_debugging = settings.log_level == "debug"
        configure_logs(settings.log_format)
        keep_private(settings)
        refuse_unwritable(settings)
        run: Callable[..., dict[str, Any]] = importlib.import_module(f"rl.commands.{name}").run
        _tell_priority(name)
        _follow_store(name, settings, arguments)
        with own_turn_of(name, settings, arguments):
            result = timed(name, run)(settings=settings, **arguments)
        if result:  # of several processes one alone has a result
            print(to_json(result), flush=True)
    except (NightcartError, OSError) as error:
        raise _failed(shown, str(error), error, is_debugging=is_debugging) from error
    except Exception as error:
        what = f"unexpected {type(error).__name__}: {_reason(error)}; NIGHTCART_LOG_LEVEL=debug tells where"
        raise _failed(shown, what, error, is_debugging=is_debugging) from error
    if "skipped" in result:
        raise typer.Exit(NOTHING_TO_DO)


def _follow_store(command: str, settings: Settings, arguments: Mapping[str, object]) -> None:
    """Bring the tables of the command's source to what a shared lake's store says is current.

    A service starts on what its home has where the store doesn't answer: shoppers wait for it.
    """
    source = arguments.get("source")
    if not isinstance(source, str) or command in _OF_THIS_HOME_ALONE:
        return
    log = structlog.get_logger()
    try:
        if (followed := follow_store(settings, source)) is not None:
            log.info("lake_followed", **followed)
    except StoreUnreachable as error:
        if command != "serve":
            raise
        log.warning("lake_not_followed", why=str(error), next="the service decides by what this home has")


def _tell_priority(command: str) -> None:
    """Say once that a command that computes for minutes runs with a lowered priority, and how to raise it."""
    if command in ("train", "evaluate") and (slow := lowered_priority()):
        structlog.get_logger().warning("low_priority", why=slow)


def _failed(name: str, message: str, error: Exception, *, is_debugging: bool) -> typer.Exit:
    """Write the message last to stderr and return the end of the command, with the error's exit code."""
    if is_debugging:
        structlog.get_logger().exception("failed")
    print(f"rl {name.replace('_', '-')}: {message}", file=sys.stderr, flush=True)
    return typer.Exit(exit_code(error))


def _reason(error: Exception) -> str:
    """Return the first line of the error's message, or that it has none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "it says no more"
