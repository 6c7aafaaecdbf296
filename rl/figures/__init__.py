"""The figures of one night as typed models: what evaluation.json holds, for registry, page and monitor to read."""
