"""Simulated shops: logs with known propensities, and the true value of any policy."""
