"""A night of orders: ways to order fitted on logged days, judged by replay, and tomorrow's orders."""
