"""Events become sessions: by which rule, for which dates, under which ids."""
