"""Pickling of functions, items, results and errors between processes."""
