"""Staged rollout: who gets a new version meanwhile, how it compares with what it replaces, and what follows."""
