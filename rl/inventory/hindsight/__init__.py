"""A network that learns how much to order from demand it is led through again: gradients pass through the stock."""
