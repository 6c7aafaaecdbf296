"""Is it worth it on this log? What can be known before anything is trained."""
