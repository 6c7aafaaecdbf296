"""Where everything lies: the only place that joins paths of the lake and of runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Lake:
    """Paths of one source's tables. A table's folder holds versions; pointers say which are current."""

    root: Path
    source: str

    @property
    def folder(self) -> Path:
        return self.root / self.source

    def raw_delivery(self, delivery_date: date) -> Path:
        """Return the folder of one delivery's files, as delivered or as split off a log that is not daily."""
        return self.folder / "raw" / f"delivery_date={delivery_date}"

    def held_back(self, delivery_date: date) -> Path:
        """Return the note on a delivery that was not landed: what is wrong, and whether a person left it out."""
        return self.folder / "raw" / "_held_back" / f"delivery_date={delivery_date}.json"

    def table(self, name: str) -> Path:
        """Return the folder of a table of the source: events, events_rejected, items, availability or sessions."""
        return self.folder / name

    def transitions(self, scenario: str, spec_hash: str) -> Path:
        """Return the folder of a scenario's transitions as built under one spec."""
        return self.folder / "transitions" / scenario / f"spec={spec_hash}"

    def histories(self, scenario: str, spec_hash: str) -> Path:
        """Return the folder of what shoppers did on the days before as-of days, under one spec of a scenario."""
        return self.folder / "histories" / scenario / f"spec={spec_hash}"

    def attributes(self, scenario: str, spec_hash: str) -> Path:
        """Return the folder of what was told of shoppers before as-of days, under one spec of a scenario."""
        return self.folder / "attributes" / scenario / f"spec={spec_hash}"

    def observations(self, scenario: str, spec_hash: str) -> Path:
        """Return the folder of what is known of shoppers at the starts of weeks, under one spec of a scenario."""
        return self.folder / "observations" / scenario / f"spec={spec_hash}"

    def decisions(self, scenario: str) -> Path:
        """Return the folder of a scenario's weekly lists: a decision for each shopper, by as-of day."""
        return self.folder / "decisions" / scenario

    def decisions_csv(self, scenario: str, as_of: date) -> Path:
        """Return the file of the same list as a spreadsheet or a campaign tool reads it."""
        return self.decisions(scenario) / "csv" / f"{as_of}.csv"

    def recommendations(self, scenario: str) -> Path:
        """Return the folder of a scenario's recommendations in bulk: decisions for each shopper, by as-of day."""
        return self.folder / "recommendations" / scenario

    def recommendations_csv(self, scenario: str, as_of: date) -> Path:
        """Return the file of the same list as a line a decision of the canonical log."""
        return self.recommendations(scenario) / "csv" / f"{as_of}.csv"

    def list_lock(self, scenario: str) -> Path:
        """Return the lock file that is held while a list of the scenario is decided."""
        return self.folder / "_locks" / f"decide_{scenario}"

    def order_lists(self, scenario: str) -> Path:
        """Return the folder of a scenario's lists of orders: an order for each product, by as-of day."""
        return self.folder / "order_lists" / scenario

    def order_list_csv(self, scenario: str, as_of: date) -> Path:
        """Return the file of the same list as a spreadsheet or a supplier's system reads it."""
        return self.order_lists(scenario) / "csv" / f"{as_of}.csv"

    def shopper_scores(self, model: str) -> Path:
        """Return the folder of what a model of shoppers says of each of them, by as-of day."""
        return self.folder / "shopper_scores" / model

    def shopper_scores_csv(self, model: str, as_of: date) -> Path:
        """Return the file of the same scores as a spreadsheet reads them."""
        return self.shopper_scores(model) / "csv" / f"{as_of}.csv"

    @staticmethod
    def pointer(table_folder: Path, partition: str) -> Path:
        """Return the pointer of a partition such as `date=2026-01-31`: one small file, swapped atomically."""
        return table_folder / "_pointers" / f"{partition}.json"

    @staticmethod
    def staging(table_folder: Path) -> Path:
        """Return the folder for files that are not published yet."""
        return table_folder / "_staging"

    def published_folders(self) -> list[Path]:
        """Return the folder of every table of the source that has pointers, raw deliveries and lists too."""
        return sorted(path.parent for depth in ("*", "*/*", "*/*/*") for path in self.folder.glob(f"{depth}/_pointers"))

    @staticmethod
    def delta(table_folder: Path) -> Path:
        """Return the folder of the table as a Delta table: links to the current files, and a log of their own.

        No folder on the way to it is called `name=value`, which readers would take for a column.
        """
        value = table_folder.name.partition("=")[2]
        return table_folder.parent / "delta" / value if value else table_folder / "delta"

    @property
    def keyed_ids(self) -> Path:
        """Mark of a lake of an earlier release whose ids are to be hashed from now on."""
        return self.folder / "_keyed_ids"

    @property
    def lineage_record(self) -> Path:
        """File of which versions were told as OpenLineage events, and where."""
        return self.folder / "_lineage.json"

    @property
    def lineage_lock(self) -> Path:
        """Lock file that whoever tells lineage of this source holds."""
        return self.folder / "_lineage_lock"

    @property
    def lock(self) -> Path:
        """Lock file that publishers of this source hold while they swap pointers."""
        return self.folder / "_lock"


@dataclass(frozen=True)
class Run:
    """Paths of one night's working files: what a step leaves for the next one, and for people."""

    home: Path
    source: str
    scenario: str
    date: date

    @property
    def folder(self) -> Path:
        return source_runs(self.home, self.source) / self.scenario / str(self.date)

    def lock(self, name: str) -> Path:
        """Lock file of the night: held by whoever computes it (`conf/night_lock.py`)."""
        return self.folder / "_locks" / name

    @property
    def ingest_result(self) -> Path:
        return self.folder / "ingest.json"

    @property
    def build_result(self) -> Path:
        return self.folder / "build.json"

    @property
    def backfill_result(self) -> Path:
        """File of what the last backfill up to the night's date made."""
        return self.folder / "backfill.json"

    @property
    def observe_result(self) -> Path:
        """File of the histories as of the day after the night's date."""
        return self.folder / "observe.json"

    @property
    def decide_result(self) -> Path:
        """File of the list as of the day after the night's date."""
        return self.folder / "decide.json"

    @property
    def draft_list(self) -> Path:
        """File of the list by a version that nobody approved yet."""
        return self.folder / "weekly_list_draft.csv"

    @property
    def draft_orders(self) -> Path:
        """File of tomorrow's orders by a version that nobody approved yet."""
        return self.folder / "order_list_draft.csv"

    @property
    def dataset(self) -> Path:
        """Folder of the prepared dataset: dataset.json, vocabulary, encoder."""
        return self.folder / "dataset"

    def candidate(self, name: str) -> Path:
        """Return the folder of a trained candidate such as `discrete_cql-1`."""
        return self.folder / "candidates" / name

    @property
    def nothing_to_learn(self) -> Path:
        """File that says why a night rightly trained nothing; it exists only then."""
        return self.folder / "nothing_to_learn.json"

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation.json"

    @property
    def page(self) -> Path:
        return self.folder / "review.html"

    @property
    def worth(self) -> Path:
        """File of what was found about the log before anything was trained."""
        return self.folder / "worth.json"

    @property
    def worth_page(self) -> Path:
        return self.folder / "worth.html"

    @property
    def experiment(self) -> Path:
        """File of what the log tells, read as an experiment."""
        return self.folder / "experiment.json"

    @property
    def experiment_page(self) -> Path:
        return self.folder / "experiment.html"

    @property
    def monitor(self) -> Path:
        """File of what was earned beside what was promised, up to the night's date."""
        return self.folder / "monitor.json"

    @property
    def monitor_page(self) -> Path:
        return self.folder / "monitor.html"

    @property
    def registration(self) -> Path:
        return self.folder / "registration.json"

    @property
    def promotion(self) -> Path:
        return self.folder / "promotion.json"

    def seconds(self, step: str) -> Path:
        """Return the file of how long a step of the night took, such as `prepare` or `train-discrete_cql-1`.

        Step `night` is the whole of it, from its run's start to its end, with what it left of the disk.
        """
        return self.folder / "seconds" / f"{step}.json"


@dataclass(frozen=True)
class ShopperModelRun:
    """Paths of what one date's fit of a model of shoppers leaves for people and for other steps."""

    home: Path
    source: str
    model: str
    date: date

    @property
    def folder(self) -> Path:
        return source_runs(self.home, self.source) / self.model / str(self.date)

    @property
    def lock(self) -> Path:
        """Lock file that whoever fits or scores with the model holds."""
        return self.folder.parent / "_lock"

    @property
    def figures(self) -> Path:
        return self.folder / "shopper_model.json"

    @property
    def page(self) -> Path:
        return self.folder / "shopper_model.html"

    @property
    def registration(self) -> Path:
        return self.folder / "shopper_registration.json"


def source_runs(home: Path, source: str) -> Path:
    """Return the folder of all nights' working files of a source."""
    return home / "runs" / source


def forgotten(folder: Path) -> Path:
    """Return where a source's folder is moved to before its files are removed: no reader looks there."""
    return folder.parent / f"_forgotten-{folder.name}"


def shared_trace(folder: Path) -> Path:
    """Return the file that says which store a source's folder was bound to, wherever that folder is now."""
    return folder.parent / f"_shared-{folder.name}.json"


def simulated_shop(home: Path, name: str) -> Path:
    """Return the folder of a simulated shop: shop.json and the logs it delivered."""
    return home / "shops" / name


def model_artifacts(home: Path) -> Path:
    """Return the folder where MLflow keeps the files of runs and models, unless a server keeps them."""
    return home / "mlartifacts"


def registry_lock(home: Path) -> Path:
    """Lock file that writers of the registry hold."""
    return home / "_registry_lock"


def registry_record(home: Path) -> Path:
    """Return the file that records which registries the home has used, so that a lost one isn't taken for a new one."""
    return home / "registry.json"


def spent_looks(home: Path) -> Path:
    """Return the file of what nights spent of the allowance of wrong promotions; it outlives a lost registry."""
    return home / "registry_looks.json"


def trials_record(home: Path) -> Path:
    """Return the file of candidates that were just short, and of the second look that was declared at each."""
    return home / "registry_trials.json"


def approvals_record(home: Path) -> Path:
    """Return the file of who approved, rolled back or turned off what, and why: only that is served."""
    return home / "approvals.json"


def launches_record(home: Path) -> Path:
    """Return the file of what was promoted on which promise, how it was rolled out, and how that ended."""
    return home / "launches.json"


def comparisons(home: Path) -> Path:
    """Return the folder of the pages that hold two versions against each other."""
    return home / "comparisons"


def comparison_page(home: Path, model: str, a: int, b: int) -> Path:
    """Return the file of the page that holds two versions of a model against each other."""
    return comparisons(home) / f"{model}-{a}-{b}.html"


def promotions(home: Path) -> list[Path]:
    """Return the files of what a home's nights promoted, one file for each night that did."""
    return list((home / "runs").glob("*/*/*/promotion.json"))


def site_folder(home: Path) -> Path:
    """Return the folder of the home page and the pages of tables: links in it lead to other pages of the home."""
    return home / "site"


def serving_folder(home: Path, source: str, scenario: str) -> Path:
    """Return the folder of what a service of the scenario keeps: histories, the policy it serves, its decisions."""
    return home / "serving" / source / scenario


def alerts_log(home: Path) -> Path:
    """Return the file with one JSON line for each thing that a monitor found and a person should know."""
    return home / "logs" / "alerts.jsonl"


def monitored_dates(home: Path, source: str, scenario: str) -> list[date]:
    """Return the dates of the nights that were monitored, ascending."""
    found = (source_runs(home, source) / scenario).glob("*/monitor.json")
    return sorted(date.fromisoformat(path.parent.name) for path in found)


def sent_alerts(home: Path) -> Path:
    """Return the file with one JSON line for each alert about the running of nights: time, name, and what was sent."""
    return home / "logs" / "sent_alerts.jsonl"


def earlier_night_pace(home: Path) -> Path:
    """Return the file that earlier releases kept nights' seconds and free bytes in, one JSON line each; only read."""
    return home / "logs" / "night_pace.jsonl"


def failures_log(home: Path) -> Path:
    """Return the file with one JSON line for each task that failed: time, DAG, run, date, task, reason."""
    return home / "logs" / "failures.jsonl"


def registrations(home: Path) -> list[Path]:
    """Return the files of the versions that a home's nights registered, one file for each night."""
    return list((home / "runs").glob("*/*/*/registration.json"))


def services_record(home: Path) -> Path:
    """Return the file that remembers the services that `make up` started."""
    return home / "airflow" / "services.json"


def path_date(path: str, column: str) -> date:
    """Return the date that a path such as `delivery_date=2026-01-31/...` holds for a column."""
    return date.fromisoformat(path_value(path, column))


def path_value(path: str, column: str) -> str:
    """Return what a path such as `delivery_date=2026-01-31/...` holds for a column."""
    part = next(part for part in PurePosixPath(path).parts if part.startswith(f"{column}="))
    return part.removeprefix(f"{column}=")
