"""Beside the gate's estimate: other estimators' opinions, categories of actions, distributions of returns."""
