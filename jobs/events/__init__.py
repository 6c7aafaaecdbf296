"""Parsed lines become tables of what was delivered; their rows, in the total order, reach the kernel from here."""
