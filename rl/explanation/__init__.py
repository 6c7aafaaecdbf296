"""Why a policy decides as it does: for one observation, on the whole, and where it departs from the log."""
