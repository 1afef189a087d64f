"""The same task on another installed Python."""
