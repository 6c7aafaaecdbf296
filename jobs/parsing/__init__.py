"""One raw line becomes canonical fields, or the reason why it can't: plain Python, without Spark."""
