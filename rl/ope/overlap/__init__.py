"""How much of a policy the log has tried: overlap of weights, differing units, sensitivity."""
