"""What may leave a home: versions that nobody needs any more, working files of old nights, logs, what kills left."""
