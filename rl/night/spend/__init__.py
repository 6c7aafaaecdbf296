"""What a policy gains at each weekly spend, and what simple rules gain at the same: of scenarios with a budget."""
