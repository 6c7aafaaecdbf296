"""Ordering policies: a few numbers each, a plan, or a network; all of them order from the same states."""
