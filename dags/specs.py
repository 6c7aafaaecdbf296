"""The specs the DAGs are made from; one that doesn't fit costs its own DAGs only."""

from __future__ import annotations

from functools import cache

from conf.errors import SpecError
from conf.specs.scenario import Pipeline, load_pipeline, scenarios_for


@cache
def read_pipelines(source: str) -> tuple[dict[str, Pipeline], dict[str, str]]:
    """Return the pipelines by scenario name, and what is wrong with the scenarios that have none."""
    pipelines: dict[str, Pipeline] = {}
    problems: dict[str, str] = {}
    for name in scenarios_for(source):
        try:
            pipelines[name] = load_pipeline(name, source)
        except SpecError as error:
            problems[name] = str(error)
    return pipelines, problems


def candidate_names(pipeline: Pipeline) -> list[str]:
    """Return the names of the candidates to train, such as `discrete_cql-1`: algorithm and seed."""
    if pipeline.scenario.orders is not None:
        return list(pipeline.scenario.orders.candidate_names)
    return [f"{candidate.algorithm}-{seed}" for candidate in pipeline.scenario.candidates for seed in candidate.seeds]
