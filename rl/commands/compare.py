"""`compare`: two versions of a policy as one page: specs, data, values with a paired interval, where they differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import structlog
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from conf.errors import NightcartError
from conf.observation_features import id_hash
from conf.paths import Lake, Run, comparison_page
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.scenario import Pipeline, load_pipeline
from rl.commands.register import SPECS_FILE
from rl.commands.switch import require_scenario
from rl.data.dataset import Dataset, load_dataset
from rl.data.transitions_reading import read_item_categories
from rl.errors import EvaluationError, PolicyError, RegistryError
from rl.figures.comparison import (
    CODE,
    DATASET,
    ComparedVersion,
    DecisionChanges,
    Difference,
    PairedValues,
    SectionDifference,
    VersionComparison,
)
from rl.figures.night import NightFigures, read_figures
from rl.figures.values import Spread
from rl.learning.device import resolve_device
from rl.night.compared_policies import compare_decisions, compare_values
from rl.ope.report import EvaluationSettings
from rl.page.compare_page import render_comparison
from rl.policy import StochasticPolicy
from rl.registry.champion import load_version_policy
from rl.registry.promises import EVALUATION_FILE
from rl.registry.readiness import settle_model
from rl.registry.store import aliases, open_store
from rl.registry.versions import RegisteredVersion, load_version


@dataclass(frozen=True)
class _Version:
    """What the registry holds of a version; None where it is gone, or an earlier release didn't keep it."""

    entry: RegisteredVersion
    figures: NightFigures | None
    specs: Mapping[str, Any] | None
    policy: StochasticPolicy | None
    policy_problem: str
    aliases: tuple[str, ...]


def run(*, settings: Settings, scenario: str, a: int, b: int) -> dict[str, Any]:
    """Write the page that holds version b against version a, and return what it comes to.

    Args:
        settings: name home, lake and registry.
        scenario: whose policy.
        a: the version that is compared with, such as the champion.
        b: the other one.

    Raises:
        RegistryError: there is no such version, or it was not registered by a night.
    """
    require_scenario(scenario)
    if a == b:
        raise RegistryError(f"version {a} against itself: name two versions (--a, --b; A and B of make)")
    model = f"{scenario}-policy"
    with open_store(settings) as client:
        settle_model(client, settings, model)
        first, second = (_read(client, model, number) for number in (a, b))
    found = _compared(settings, first, second)
    page = comparison_page(settings.home, model, a, b)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(page, render_comparison(found))
    return {
        "model": model,
        "a": a,
        "b": b,
        "n_spec_differences": len(found.specs),
        "difference": None if found.paired is None else found.paired.difference.model_dump(),
        "share_of_decisions": None if found.decisions is None else found.decisions.overall.model_dump(),
        **({"simulated_stock": list(found.simulated_stock)} if found.simulated_stock else {}),
        "page": str(page),
    }


def _read(client: MlflowClient, model: str, number: int) -> _Version:
    entry = load_version(client, model, number)
    if entry is None or not entry.is_ours:
        what = "has no" if entry is None else "was not registered by a night, as its tags say:"
        raise RegistryError(f"{model} {what} version {number}; see the versions in MLflow")
    policy, problem = None, ""
    try:
        policy = load_version_policy(client, entry)
    except (PolicyError, MlflowException, OSError) as error:
        problem = str(error).splitlines()[-1]
    with TemporaryDirectory(prefix="compared-") as folder:
        evaluation, specs = (_artifact(client, entry, name, folder) for name in (EVALUATION_FILE, SPECS_FILE))
        return _Version(
            entry=entry,
            figures=_figures(evaluation),
            specs=None if specs is None else json.loads(specs.read_text(encoding="utf-8")),
            policy=policy,
            policy_problem=problem,
            aliases=tuple(sorted(name for name, held in aliases(client, model).items() if held == number)),
        )


def _artifact(client: MlflowClient, entry: RegisteredVersion, name: str, folder: str) -> Path | None:
    try:
        return Path(client.download_artifacts(entry.run_id, name, folder))
    except (MlflowException, OSError):
        return None


def _figures(path: Path | None) -> NightFigures | None:
    try:
        return None if path is None else read_figures(path)
    except EvaluationError as error:
        structlog.get_logger().warning("an evaluation can't be read", reason=str(error).splitlines()[0])
        return None


def _compared(settings: Settings, a: _Version, b: _Version) -> VersionComparison:
    told = b.figures or a.figures
    specs, specs_refusal = _specs(a, b)
    has_both = a.figures is not None and b.figures is not None
    later = max((a, b), key=lambda one: (one.entry.date, one.entry.version))
    dataset, why = _dataset(settings, later)
    paired, paired_refusal = _paired(settings, a, b, dataset, why)
    decisions, decisions_refusal = _decisions(settings, a, b, dataset, why)
    return VersionComparison(
        model=a.entry.model,
        scenario_title=a.entry.tags["scenario"] if told is None else told.facts.scenario_title,
        reward_unit="" if told is None else told.facts.reward_unit,
        units="shoppers" if told is None else told.facts.units,
        a=_told(a),
        b=_told(b),
        simulated_stock=_simulated_stock(a, b),
        specs=specs,
        specs_refusal=specs_refusal,
        sections=tuple(_sections(a, b, specs)),
        data=tuple(_differences(dict(_data(a)), dict(_data(b)))),
        same=tuple(name for name, value in _data(a) if value and value == dict(_data(b)).get(name)),
        data_refusal=None if has_both else "the evaluation of one of them is gone from MLflow: its sizes aren't known",
        paired=paired,
        paired_refusal=paired_refusal,
        decisions=decisions,
        decisions_refusal=decisions_refusal,
    )


def _simulated_stock(*versions: _Version) -> tuple[str, ...]:
    """Return what is declared of stock that a version's log doesn't count, each once."""
    told = [one.figures.orders.simulated_stock for one in versions if one.figures is not None and one.figures.orders]
    return tuple(dict.fromkeys(one for one in told if one))


def _told(version: _Version) -> ComparedVersion:
    entry, tags = version.entry, version.entry.tags
    decision = ""
    if "decision" in tags:
        decision = f"{tags['decision']} by {tags.get('decided_by', '')}, {tags.get('decided_at', '')}"
        decision += f": {tags.get('decided_because', '')}"
    return ComparedVersion(
        version=entry.version,
        date=entry.date,
        source=tags["source"],
        verdict=tags["verdict"],
        candidate=tags.get("candidate", ""),
        compared_with=tags.get("compared_with", ""),
        aliases=version.aliases,
        decision=decision,
        gain=None if version.figures is None else version.figures.gain,
    )


def _specs(a: _Version, b: _Version) -> tuple[tuple[Difference, ...], str | None]:
    """Return the keys of both specs that differ; where one wasn't kept, whether they were the same."""
    if a.specs is not None and b.specs is not None:
        return tuple(_differences(dict(_flat(a.specs)), dict(_flat(b.specs)))), None
    if a.entry.tags.get("spec_hash") == b.entry.tags.get("spec_hash"):
        return (), None
    missing = [str(one.entry.version) for one in (a, b) if one.specs is None]
    return (), (
        f"They differ, and which keys do can't be told: the specs of version {' and '.join(missing)} weren't kept by "
        "the release that registered it."
    )


def _flat(content: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield every value below a mapping with its place, such as `scenario.gate.min_effective_rewarded`."""
    if isinstance(content, dict) and content:
        for name, value in content.items():
            yield from _flat(value, f"{place}.{name}" if place else str(name))
    elif content not in (None, [], {}):
        yield place, content if isinstance(content, str) else json.dumps(content)


def _differences(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys([*a, *b]):
        if a.get(name) != b.get(name):
            yield Difference(name=name, a=a.get(name, ""), b=b.get(name, ""))


def _sections(a: _Version, b: _Version, specs: Sequence[Difference]) -> Iterator[SectionDifference]:
    """Yield each section of the specs in which keys differ, and whether one of the two has nothing of it."""
    known = {"a": set(map(_section, dict(_flat(a.specs)))), "b": set(map(_section, dict(_flat(b.specs))))}
    for name, n_keys in Counter(_section(one.name) for one in specs).items():
        holders: list[Literal["a", "b"]] = [which for which in ("a", "b") if name in known[which]]
        yield SectionDifference(name=name, n_keys=n_keys, only=holders[0] if len(holders) == 1 else "")


def _section(key: str) -> str:
    """Return the section of a key: `scenario.gate` of `scenario.gate.min_effective_rewarded`."""
    return ".".join(key.split(".")[:2])


def _data(version: _Version) -> Iterator[tuple[str, str]]:
    entry, figures = version.entry, version.figures
    yield "last date learned from", str(entry.date)
    for name, words in (("dataset_digest", DATASET), ("code_hash", CODE)):
        yield words, entry.tags.get(name, "")
    yield "candidate", entry.tags.get("candidate", "")
    yield "temperature", entry.tags.get("temperature", "")
    if figures is None:
        return
    yield "first partition", ": ".join(figures.lineage.first_partition)
    yield "last partition", ": ".join(figures.lineage.last_partition)
    yield "actions", f"{figures.data.n_actions:,}"
    for split in figures.data.splits:
        yield f"{split.name} episodes", f"{split.n_episodes:,} ({split.start[:10]} to {split.end[:10]})"


def _dataset(settings: Settings, later: _Version) -> tuple[Dataset | None, str]:
    """Return the dataset of the later version's night, as it was prepared; or why there is none."""
    entry = later.entry
    source, scenario = entry.tags["source"], entry.tags["scenario"]
    try:
        pipeline = load_pipeline(scenario, source)
        if pipeline.scenario.orders is not None:
            return None, "these versions order stock: their values are those of each one's own night"
        run = Run(settings.home, source, scenario, entry.date)
        dataset = load_dataset(pipeline, Lake(settings.lake, source), run)
    except (NightcartError, OSError) as error:
        return None, f"the data of version {entry.version}'s night can't be read: {str(error).splitlines()[0]}"
    if dataset.digest != entry.tags.get("dataset_digest"):
        return None, f"the night of {entry.date} was prepared anew since version {entry.version}, from other data"
    return dataset, ""


def _paired(
    settings: Settings, a: _Version, b: _Version, dataset: Dataset | None, why: str
) -> tuple[PairedValues | None, str | None]:
    """Return the paired difference: as the gate had it where it compared the two, else computed now."""
    if (known := _as_gated(a, b)) is not None:
        return known, None
    problem = why or _unusable(a, b)
    if problem or dataset is None or a.policy is None or b.policy is None:
        return None, problem
    later = max((a, b), key=lambda one: (one.entry.date, one.entry.version))
    rests_on = (
        f"the test episodes of version {later.entry.version}'s night, {later.entry.date}, which its gate looked at "
        "before; computed now"
    )
    how = EvaluationSettings.from_scenario(
        dataset.pipeline.scenario,
        device=resolve_device(settings.device),
        action_attributes=dataset.encoder.action_attributes(dataset.vocabulary),
    )
    try:
        return compare_values(a.policy, b.policy, dataset, rests_on=rests_on, settings=how), None
    except NightcartError as error:
        return None, str(error).splitlines()[0]


def _as_gated(a: _Version, b: _Version) -> PairedValues | None:
    """Return B's gain over A where the gate compared the two on B's night, or the reverse of it; None elsewhere."""
    for later, earlier, sign in ((b, a, 1.0), (a, b, -1.0)):
        gain = None if later.figures is None else later.figures.gain
        if later.entry.tags.get("compared_with") != str(earlier.entry.version) or gain is None:
            continue
        if gain.value is None or gain.lower is None or gain.upper is None:
            continue
        ends = sorted((sign * gain.lower, sign * gain.upper))
        return PairedValues(
            estimator=gain.estimator,
            level=2 * gain.level - 1,
            rests_on=f"the test episodes of version {later.entry.version}'s night, {later.entry.date}, as its gate saw "
            f"them against version {earlier.entry.version}",
            difference=Spread(value=sign * gain.value, lower=ends[0], upper=ends[1]),
        )
    return None


def _decisions(
    settings: Settings, a: _Version, b: _Version, dataset: Dataset | None, why: str
) -> tuple[DecisionChanges | None, str | None]:
    problem = why or _unusable(a, b)
    if problem or dataset is None or a.policy is None or b.policy is None:
        return None, problem
    pipeline = dataset.pipeline
    try:
        names = _names(settings, pipeline, dataset)
        level = pipeline.scenario.evaluation.confidence
        return compare_decisions(a.policy, b.policy, dataset, names, level=level), None
    except NightcartError as error:
        return None, str(error).splitlines()[0]


def _unusable(a: _Version, b: _Version) -> str:
    for one in (a, b):
        if one.policy is None:
            return f"the policy of version {one.entry.version} can't be loaded ({one.policy_problem})"
    if a.entry.tags["source"] != b.entry.tags["source"]:
        return f"they were learned from different sources, {a.entry.tags['source']} and {b.entry.tags['source']}"
    return ""


def _names(settings: Settings, pipeline: Pipeline, dataset: Dataset) -> dict[int, str]:
    """Return the natural key of each id that features and actions hold."""
    lake = Lake(settings.lake, pipeline.source.name)
    categories = read_item_categories(lake, max(dataset.published.manifests), versions=dataset.versions.items)
    return {
        **{id_hash(category): category for category in categories.values()},
        **{id_hash(item): item for item in categories},
        **dataset.published.transitions.action_keys,
    }
