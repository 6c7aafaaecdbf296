"""What each action does to whom: effects by shopper, learned from decisions whose propensities are known."""
