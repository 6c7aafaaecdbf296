"""Offline reinforcement learning: datasets, training, off-policy evaluation, gate, registry, simulated shops."""
