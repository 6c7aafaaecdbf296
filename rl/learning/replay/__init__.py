"""Training data as contiguous columns, in memory or in files, and batches drawn from them."""
