"""One night through Airflow, `make nightly`: in process, or through the services where they are up."""
