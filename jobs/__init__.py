"""Spark jobs: raw deliveries to events, sessions and transitions."""
