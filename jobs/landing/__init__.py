"""Delivered files are found, kept as they came, split by business date, and read line by line."""
