"""The gate's rule and what it rests on: evidence, doubts about propensities, alpha spending, the corrected gain."""
