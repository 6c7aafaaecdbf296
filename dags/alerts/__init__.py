"""What somebody should know of nights: what sets an alert off, its words, and the ways it is sent."""
