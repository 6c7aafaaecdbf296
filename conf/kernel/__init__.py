"""The one implementation of sessions, features, decision points, episode ends and attribution.

Pure functions over columns of units (shoppers) in total order. NumPy and the standard library alone: Spark hands it
partitions, the decision service hands it one shopper, tests hand it logs of a few lines.
"""
