"""Published partitions become logged episodes: reading, vocabulary, splits, encoder, the dataset and its digest."""
