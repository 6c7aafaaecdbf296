"""What any night is of and from, whatever it decides on."""

from __future__ import annotations

from conf.earnings import earnings_sentence
from conf.paths import Run
from conf.specs.scenario import Pipeline
from rl.data.description import DatasetDescription
from rl.figures.night import Lineage, NightFacts


def night_facts(pipeline: Pipeline, run: Run, approval: str | None) -> NightFacts:
    """Return what a night is of: its scenario, source and date, and what its values mean.

    Args:
        pipeline: source and scenario.
        run: of the night.
        approval: of the deployment, `human` or `auto`; None: as the scenario says.
    """
    scenario, source = pipeline.scenario, pipeline.source
    return NightFacts.model_validate(
        {
            "scenario": scenario.name,
            "scenario_title": scenario.title,
            "source": source.name,
            "source_title": source.title,
            "date": run.date,
            "decisions": source.decisions.kind,
            "is_simulated": source.is_simulated,
            "reward_unit": scenario.reward.unit,
            "earns": earnings_sentence(scenario.reward),
            "units": scenario.units,
            "steps": scenario.evaluation.steps,
            "after_cut": scenario.evaluation.after_cut,
            "gamma": scenario.discount.gamma,
            "discounted_per": scenario.discount.per,
            "approval": approval or scenario.approval,
        }
    )


def lineage_of(description: DatasetDescription) -> Lineage:
    """Return what a night's dataset was made from."""
    partitions = sorted(description.partitions.items())
    return Lineage(
        data_spec_hash=description.spec_hash,
        key_id=description.key_id,
        embargo=description.embargo,
        first_partition=partitions[0],
        last_partition=partitions[-1],
    )
