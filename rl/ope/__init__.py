"""Off-policy evaluation: what a policy would have earned, from episodes that another policy logged, with its doubt."""
