"""What the commands of `python -m rl` do: one module each, whose `run(...)` returns the JSON object to print.

A result that holds the key `skipped` (with the reason) means: rightly nothing to do; the command then exits 99.
"""
