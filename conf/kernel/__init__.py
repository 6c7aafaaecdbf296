"""The one implementation of sessions, features, decision points, episode ends and attribution.

Pure functions over columns of units (shoppers) in total order. NumPy and the standard library alone: Spark hands it
partitions, tests hand it logs of a few lines, and a service could hand it one shopper.
"""
