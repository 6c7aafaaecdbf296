"""The contracts every part of nightcart shares: tables, specs, paths, publications, settings."""
