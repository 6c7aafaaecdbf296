"""Events and sessions become transitions: decisions with what was known, what followed, and what they earned."""
