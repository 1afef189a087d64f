"""A comparison within its budget."""
