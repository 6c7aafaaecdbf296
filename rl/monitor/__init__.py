"""What was promised against what was earned, and whether what decides is still what was judged."""
