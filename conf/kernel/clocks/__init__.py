"""When something is decided: one module a clock, each of which makes points of a stream."""
