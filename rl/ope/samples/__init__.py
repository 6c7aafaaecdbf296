"""Evaluated episodes with weights, probabilities, density ratios and Q-values: what estimators take."""
