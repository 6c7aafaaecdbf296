"""The registry: MLflow runs of a night, versions of a scenario's policy, and the aliases that say what is served."""
