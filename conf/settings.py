"""Settings from the environment: the only reader of environment variables."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path

from conf.alert_settings import ALERT_VARIABLES, AlertSettings, alert_misfits
from conf.database_address import SQLITE, is_postgres, sqlite_file, without_password
from conf.errors import SettingError
from conf.paths import model_artifacts
from conf.specs.strict_yaml import suggest

PROJECT_ROOT = Path(__file__).resolve().parent.parent

# In a path these are escapes or parameters of database addresses, or patterns to Spark.
_UNFIT = "%?*[]{}\\"

_EMBEDDED, _REDIS = "embedded", ("redis://", "rediss://", "unix://")

_SHIFTS = {"MiB": 20, "GiB": 30}

# Meaning of each variable; `Settings.from_environment` refuses any other that starts with NIGHTCART_.
VARIABLES: dict[str, str] = {
    "NIGHTCART_HOME": "folder of everything produced (lake, runs, databases); default .nightcart in the project",
    "NIGHTCART_LAKE": "root of the lake; default lake/ in the home",
    "NIGHTCART_LAKE_STORE": "object store through which homes share a lake, such as s3://bucket/shop; credentials and "
    "endpoint as usual (AWS_*); default: none",
    "NIGHTCART_MLFLOW_URI": "MLflow tracking and registry URI, such as postgresql://me@db/mlflow or a server's; "
    "default SQLite in the home",
    "NIGHTCART_MLFLOW_ARTIFACTS": "folder, or URI such as s3://bucket/models, of the files of runs and models where no "
    "MLflow server keeps them; default mlartifacts/ in the home",
    "NIGHTCART_AIRFLOW_DATABASE": "Airflow's database, such as postgresql://me@db/airflow; default SQLite in the home",
    "NIGHTCART_PSEUDONYM_KEY": "key of the pseudonyms, at least 16 characters; default: made once, kept in the home",
    "NIGHTCART_APPROVAL": "human or auto; overrides every scenario's approval",
    "NIGHTCART_TONIGHT": "date that counts as tonight's partition; default: yesterday in the source's zone",
    "NIGHTCART_SOURCE": "source that the DAGs run on; default simulated_shop",
    "NIGHTCART_LOGS": "file or folder the source's logs are delivered to; default: a simulated shop's own, else none",
    "NIGHTCART_PIPELINE_VENV": "virtual environment that jobs and rl run in; default .venv in the project",
    "NIGHTCART_SPARK_MASTER": "Spark master, such as spark://10.0.0.5:7077; default local[2]",
    "NIGHTCART_SPARK_OPTIONS": "file of Spark properties that count over conf/spark's, such as a cluster's memory",
    "NIGHTCART_SHUFFLE_PARTITIONS": "Spark shuffle partitions; default 4",
    "NIGHTCART_DEVICE": "cpu, cuda or auto; default auto",
    "NIGHTCART_TRAINING_MEMORY": "memory that a training may take, such as 8GiB; a larger split is learned from files; "
    "default: half of the machine's",
    "NIGHTCART_TRAINING_THREADS": "processor threads of a training, and of an evaluation; default 1; the last bits of "
    "results depend on it, and small layers gain little from more, where candidates are trained side by side",
    "NIGHTCART_HISTORY_STORE": "where a service keeps shoppers' histories: embedded (one file in the home) or an "
    "address of Redis such as redis://127.0.0.1:6379/0; default embedded",
    "NIGHTCART_LINEAGE": "where OpenLineage events of what was published go: a file (absolute path) or the address "
    "of a server such as http://127.0.0.1:5000; default: nowhere",
    "NIGHTCART_SERVING_KEY": "key that a service asks of its callers, at least 16 characters; needed beyond loopback",
    **ALERT_VARIABLES,
    "NIGHTCART_REAL_DATA": "folder of public logs that some tests read",
    "NIGHTCART_TEST_POSTGRES": "PostgreSQL URL that some tests use",
    "NIGHTCART_TEST_MOTO": "interpreter with moto, whose S3 some tests use; set by `make test` where it could be made",
    "NIGHTCART_TEST_REDIS": "address of a Redis that some tests use",
    "NIGHTCART_TEST_STORIES": "set by `make test-stories`: the stories of a deployment on PostgreSQL are run",
    "NIGHTCART_TEST_FAULT_KILLS": "set by `make test-faults`: how often ingest and build are killed",
    "NIGHTCART_TEST_FAULT_SEED": "set by `make test-faults`: at which random moments",
    "NIGHTCART_PEERS_PYTHON": "interpreter with sb-obp and scope-rl, which make bench-ope compares with",
    "NIGHTCART_SARDINE_PYTHON": "set by `make bench-outside`: interpreter with SARDINE, whose shoppers it learns from",
    "NIGHTCART_SERVICE": "set by `make up` for its own processes: which service they belong to; not to be set by hand",
    "NIGHTCART_NIGHT": "set by `make nightly` for its own commands: the night they belong to; not to be set by hand",
    "NIGHTCART_LOG_FORMAT": "console or json; default console",
    "NIGHTCART_LOG_LEVEL": "info or debug (with tracebacks); default info",
}


@dataclass(frozen=True)
class Settings:
    """What a deployment decides, as opposed to what a spec decides."""

    home: Path
    lake: Path
    mlflow_uri: str
    approval: str | None
    tonight: date | None
    source: str
    logs: Path | None
    pipeline_venv: Path
    spark_master: str
    shuffle_partitions: int
    device: str
    log_format: str
    given_pseudonym_key: str | None
    training_memory_bytes: int | None = None
    training_threads: int = 1
    log_level: str = "info"
    night: str | None = None
    history_store: str | None = None
    serving_key: str | None = None
    alerts: AlertSettings = field(default_factory=AlertSettings)
    airflow_database: str | None = None
    given_artifacts: str | None = None
    lineage: str | None = None
    spark_options: Path | None = None
    airflow_sqlite: Path | None = None
    lake_store: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Return the settings the environment describes.

        Raises:
            SettingError: lists every variable that is unknown or doesn't fit.
        """
        given = dict(os.environ if environment is None else environment)
        _refuse_unfit(given)
        home = Path(given.get("NIGHTCART_HOME") or PROJECT_ROOT / ".nightcart").resolve()
        lake = Path(given.get("NIGHTCART_LAKE") or home / "lake").resolve()
        _refuse_unfit_paths(home, lake)
        tonight = given.get("NIGHTCART_TONIGHT")
        return cls(
            home=home,
            lake=lake,
            mlflow_uri=given.get("NIGHTCART_MLFLOW_URI") or f"{SQLITE}{home / 'mlflow.db'}",
            approval=given.get("NIGHTCART_APPROVAL") or None,
            tonight=date.fromisoformat(tonight) if tonight else None,
            source=given.get("NIGHTCART_SOURCE") or "simulated_shop",
            logs=Path(given["NIGHTCART_LOGS"]).resolve() if given.get("NIGHTCART_LOGS") else None,
            # Not resolved: a virtual environment's python is a link, and following it would leave the environment.
            pipeline_venv=Path(given.get("NIGHTCART_PIPELINE_VENV") or PROJECT_ROOT / ".venv").absolute(),
            spark_master=given.get("NIGHTCART_SPARK_MASTER") or "local[2]",
            shuffle_partitions=int(given.get("NIGHTCART_SHUFFLE_PARTITIONS") or 4),
            device=given.get("NIGHTCART_DEVICE") or "auto",
            log_format=given.get("NIGHTCART_LOG_FORMAT") or "console",
            given_pseudonym_key=given.get("NIGHTCART_PSEUDONYM_KEY") or None,
            training_memory_bytes=_bytes(given.get("NIGHTCART_TRAINING_MEMORY") or ""),
            training_threads=int(given.get("NIGHTCART_TRAINING_THREADS") or 1),
            log_level=given.get("NIGHTCART_LOG_LEVEL") or "info",
            night=given.get("NIGHTCART_NIGHT") or None,
            history_store=_address(given.get("NIGHTCART_HISTORY_STORE") or ""),
            serving_key=given.get("NIGHTCART_SERVING_KEY") or None,
            alerts=AlertSettings.of(given),
            airflow_database=_airflow_database(given),
            airflow_sqlite=sqlite_file(given.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") or ""),
            lineage=given.get("NIGHTCART_LINEAGE") or None,
            spark_options=Path(given["NIGHTCART_SPARK_OPTIONS"]) if given.get("NIGHTCART_SPARK_OPTIONS") else None,
            given_artifacts=_uri(given.get("NIGHTCART_MLFLOW_ARTIFACTS") or ""),
            lake_store=given.get("NIGHTCART_LAKE_STORE") or None,
        )

    @property
    def mlflow_database(self) -> Path | None:
        """The file of MLflow's SQLite database; None where a server, a folder or another database is the registry."""
        return sqlite_file(self.mlflow_uri)

    @property
    def airflow_file(self) -> Path:
        """The file of Airflow's SQLite database, where that isn't on PostgreSQL: Airflow's own variable may name it."""
        return self.airflow_sqlite or self.home / "airflow" / "airflow.db"

    def databases_in_use(self) -> list[Path]:
        """Return the SQLite files that are MLflow's or Airflow's database, of this process or of the services' last.

        Services note which database they brought up to date, since whoever asks may not have their variables.
        """
        found = [path for path in (self.mlflow_database, self.airflow_file) if path is not None]
        try:
            noted = (self.home / "airflow" / "database.made").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return found
        address = noted.partition(" ")[2].rpartition(" pool of ")[0]
        return [*found, *(path for path in [sqlite_file(address)] if path is not None)]

    @property
    def shown_mlflow_uri(self) -> str:
        """MLflow's address without its password, so that it may stand in messages and files."""
        return without_password(self.mlflow_uri)

    @property
    def registry_name(self) -> str:
        """The registry's name in the home's records; the home's own database keeps its name where the home is moved."""
        path = self.mlflow_database
        if path is not None and path.is_relative_to(self.home):
            return str(path.relative_to(self.home))
        return self.shown_mlflow_uri

    @property
    def artifacts_uri(self) -> str | None:
        """Where files of runs and models go; None where an MLflow server keeps them in a place of its own."""
        if self.mlflow_uri.startswith("http"):
            return None
        return self.given_artifacts or model_artifacts(self.home).as_uri()

    def pseudonym_key(self) -> bytes:
        """Return the key of the pseudonyms; without a given one, make it once and keep it in the home."""
        if self.given_pseudonym_key is not None:
            return self.given_pseudonym_key.encode("utf-8")
        path = self.home / "pseudonym.key"
        if not path.exists():
            _create_key(path)
        return path.read_bytes().strip()

    def pseudonym_key_id(self) -> str:
        """Return a name for the key that doesn't give it away; part of the dataset digest."""
        return sha256(b"nightcart key id" + self.pseudonym_key()).hexdigest()[:16]


def _create_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_hex(32), encoding="ascii")
    try:
        os.link(draft, path)  # fails where another process was first: its key is the key
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _refuse_unfit(given: Mapping[str, str]) -> None:
    problems = [
        f"{name}: unknown{suggest(name, list(VARIABLES))}"
        for name in sorted(given)
        if name.startswith("NIGHTCART_") and name not in VARIABLES
    ]
    problems += [*_misfits(given), *alert_misfits(given)]
    if problems:
        raise SettingError("environment variables don't fit:\n" + "\n".join(f"  {problem}" for problem in problems))


def _refuse_unfit_paths(home: Path, lake: Path) -> None:
    """Raise if a path holds a character that a database's address or Spark would read as something else."""
    for name, path in (("NIGHTCART_HOME", home), ("NIGHTCART_LAKE", lake)):
        if found := sorted({one for one in str(path) if one in _UNFIT or not one.isprintable()}):
            raise SettingError(
                f"{name}: {str(path)!r} holds {' '.join(map(repr, found))}, which a database's address "
                "or Spark reads as something else; choose a folder without"
            )


def _misfits(given: Mapping[str, str]) -> list[str]:
    problems = []
    for name, allowed in (
        ("NIGHTCART_APPROVAL", ("human", "auto")),
        ("NIGHTCART_DEVICE", ("cpu", "cuda", "auto")),
        ("NIGHTCART_LOG_FORMAT", ("console", "json")),
        ("NIGHTCART_LOG_LEVEL", ("info", "debug")),
    ):
        if given.get(name) and given[name] not in allowed:
            problems.append(f"{name}: got {given[name]!r}, expected one of {', '.join(allowed)}")
    if given.get("NIGHTCART_TONIGHT") and not _is_date(given["NIGHTCART_TONIGHT"]):
        problems.append(f"NIGHTCART_TONIGHT: got {given['NIGHTCART_TONIGHT']!r}, expected a date like 2026-01-31")
    for name in ("NIGHTCART_SHUFFLE_PARTITIONS", "NIGHTCART_TRAINING_THREADS"):
        number = given.get(name) or "1"
        if not number.isdecimal() or int(number) < 1:
            problems.append(f"{name}: got {number!r}, expected a positive integer")
    memory = given.get("NIGHTCART_TRAINING_MEMORY")
    if memory and not _bytes(memory):
        problems.append(f"NIGHTCART_TRAINING_MEMORY: got {memory!r}, expected a size like 512MiB or 8GiB")
    for name in ("NIGHTCART_PSEUDONYM_KEY", "NIGHTCART_SERVING_KEY"):
        if given.get(name) and len(given[name]) < 16:
            problems.append(f"{name}: shorter than 16 characters")
    problems += _misfit_databases(given)
    lineage = given.get("NIGHTCART_LINEAGE") or ""
    if lineage and not (lineage.startswith(("http://", "https://")) or Path(lineage).is_absolute()):
        shown = without_password(lineage)
        problems.append(f"NIGHTCART_LINEAGE: got {shown!r}, expected an absolute path or an address http://…")
    shared = given.get("NIGHTCART_LAKE_STORE") or ""
    if shared and not re.match(r"[a-z][a-z0-9+.-]*://?/?[^/]", shared):
        problems.append(f"NIGHTCART_LAKE_STORE: got {shared!r}, expected an address such as s3://bucket/shop")
    options = given.get("NIGHTCART_SPARK_OPTIONS")
    if options and not Path(options).is_absolute():
        problems.append(f"NIGHTCART_SPARK_OPTIONS: got {options!r}, expected an absolute path")
    store = given.get("NIGHTCART_HISTORY_STORE")
    if store and store != _EMBEDDED and not store.startswith(_REDIS):
        problems.append(f"NIGHTCART_HISTORY_STORE: expected {_EMBEDDED} or an address that starts with redis://")
    return problems


def _misfit_databases(given: Mapping[str, str]) -> list[str]:
    problems = []
    airflow, mlflow = given.get("NIGHTCART_AIRFLOW_DATABASE") or "", given.get("NIGHTCART_MLFLOW_URI") or ""
    if airflow and not is_postgres(airflow):
        told = "expected an address such as postgresql://me:password@127.0.0.1:5432/airflow"
        problems.append(f"NIGHTCART_AIRFLOW_DATABASE: got {without_password(airflow)!r}, {told}")
    own = given.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") or ""
    if airflow and is_postgres(own) and own != airflow:
        problems.append("NIGHTCART_AIRFLOW_DATABASE: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN names another; unset one")
    if airflow and airflow == mlflow:
        problems.append("NIGHTCART_AIRFLOW_DATABASE: the same as NIGHTCART_MLFLOW_URI; give each a database of its own")
    if mlflow.startswith("postgres://"):
        problems.append(f"NIGHTCART_MLFLOW_URI: got {without_password(mlflow)!r}, expected postgresql://…")
    artifacts = given.get("NIGHTCART_MLFLOW_ARTIFACTS") or ""
    if artifacts and not (Path(artifacts).is_absolute() or re.match(r"[a-z][a-z0-9+.-]*://?/?[^/]", artifacts)):
        told = "expected an absolute path, or a URI such as s3://bucket/models"
        problems.append(f"NIGHTCART_MLFLOW_ARTIFACTS: got {artifacts!r}, {told}")
    if artifacts and mlflow.startswith("http"):
        problems.append("NIGHTCART_MLFLOW_ARTIFACTS: the server named by NIGHTCART_MLFLOW_URI decides; unset one")
    return problems


def _airflow_database(given: Mapping[str, str]) -> str | None:
    """Return the PostgreSQL that Airflow works on, by our variable or by Airflow's own; None for SQLite in the home."""
    own = given.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") or ""
    return given.get("NIGHTCART_AIRFLOW_DATABASE") or (own if is_postgres(own) else None)


def _uri(place: str) -> str | None:
    """Return the place as a URI; None for no place."""
    return Path(place).resolve().as_uri() if place.startswith("/") else place or None


def _address(store: str) -> str | None:
    """Return the address of a store of histories; None for the embedded one."""
    return None if store in ("", _EMBEDDED) else store


def _bytes(size: str) -> int | None:
    """Return the number of bytes in a size such as 8GiB; None where the text isn't a size."""
    found = re.fullmatch(r"(\d+)(MiB|GiB)", size)
    return int(found[1]) << _SHIFTS[found[2]] if found else None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
