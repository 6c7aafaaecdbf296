"""Fitted Q evaluation: linear, neural, of many policies at once."""
