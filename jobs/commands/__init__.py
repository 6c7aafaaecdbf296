"""The commands of the jobs, one module each: what `jobs/main.py` and `make check-source` call."""
