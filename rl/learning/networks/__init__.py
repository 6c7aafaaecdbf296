"""Networks that know which actions are available, and those that read sequences."""
