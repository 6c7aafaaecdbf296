"""Ratios of state and action densities, fitted for marginalized estimators."""
