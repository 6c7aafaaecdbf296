"""Estimators of the value of a policy, and the registry that names them."""
