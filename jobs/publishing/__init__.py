"""Frames become checked, immutable versions of partitions, named by what their rows say."""
