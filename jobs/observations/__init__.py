"""Events become what is known of every shopper at a moment: what the service makes observations of."""
