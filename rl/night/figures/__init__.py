"""What the review page says, as plain models made from the night."""
