"""What the simulated shop that orders stock delivers: sales, counts, orders, receipts and products, dirt included."""
