"""Distributions of returns and their comparison."""
