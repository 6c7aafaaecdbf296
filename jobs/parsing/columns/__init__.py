"""Many lines at once become fields, by Arrow; the plain parser reads what isn't sure to be read as it would."""
