"""Transport of items, functions and results to workers and back."""
