"""The simulated shop of the recommendation scenario: shoppers, sessions, dirty logs, true values."""
