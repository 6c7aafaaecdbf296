"""What to explore next: which shoppers follow a candidate that was not judged, at which share, for how many nights."""
