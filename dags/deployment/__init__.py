"""The services of `make up`: Airflow's processes and MLflow's page, started, watched and stopped together."""
