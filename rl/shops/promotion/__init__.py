"""A simulated shop that decides every week whom to send which offer, or none; its truth is known."""
