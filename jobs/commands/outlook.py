"""What could be learned from a log, by some of its lines: of shoppers' decisions, or of products."""

from __future__ import annotations

from conf.specs.scenario import Pipeline
from conf.specs.source import Source
from jobs.commands.product_outlook import product_lines, product_verdict
from jobs.commands.source_outlook import ToldEvents, outlook_lines, outlook_result


def lines_of(told: ToldEvents, source: Source, pipeline: Pipeline | None, *, is_all: bool) -> list[str]:
    """Return what could be learned, a line of text each; `is_all`: no line was left out."""
    if pipeline is not None and pipeline.scenario.orders is not None:
        return product_lines(told.rewarded, pipeline)
    return outlook_lines(told, source, pipeline, is_all=is_all)


def result_of(told: ToldEvents, source: Source, pipeline: Pipeline | None, *, is_all: bool) -> dict[str, object]:
    """Return the same for programs."""
    if pipeline is not None and pipeline.scenario.orders is not None:
        return {"verdict": product_verdict(pipeline)}
    return outlook_result(told, source, pipeline, is_all=is_all)
