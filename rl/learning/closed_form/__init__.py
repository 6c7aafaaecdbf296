"""Learners that solve for their weights at once: no gradient, no d3rlpy."""
