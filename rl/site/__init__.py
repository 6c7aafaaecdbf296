"""The home page and the pages of tables: what runs left in a home, as pages that need no service."""
