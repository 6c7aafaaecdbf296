"""The week's list: what is known of all shoppers becomes one decision for each, within the budget."""
