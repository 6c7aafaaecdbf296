"""The whole loop in a simulated shop: logs, policy, decisions, logs; one day and one night after the other."""
