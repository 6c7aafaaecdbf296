"""The one Spark session of a command, and the folders it writes to."""
