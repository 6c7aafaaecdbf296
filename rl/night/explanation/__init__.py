"""Why the policy decides so: attributions, a small tree, departures from the log."""
