"""Sums by unit, and the intervals made of them."""
