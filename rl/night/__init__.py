"""One night's evaluation: selection, one look at test episodes, doubts, explanation, what the page says."""
