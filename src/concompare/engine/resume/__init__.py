"""Results kept in a file as they come, and taken from there again after a crash."""
