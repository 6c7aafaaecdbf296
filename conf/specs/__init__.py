"""The YAML of sources and scenarios as strict models: what a key means, its units, defaults, errors and hashes."""
