"""How far the night could be wrong: hidden reasons, clipping, several loggers."""
