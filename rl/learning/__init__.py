"""Learning: replay of logged transitions, masked networks, d3rlpy's algorithms and their training."""
