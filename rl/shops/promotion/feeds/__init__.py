"""What the simulated shop delivers: web events, orders, campaign sends and side tables, dirt included."""
