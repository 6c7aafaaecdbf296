"""Thin Airflow DAGs made from the scenario specs."""
