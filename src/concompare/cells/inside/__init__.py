"""Loops inside the functions that a cell calls: the function runs as written, its loops in parallel."""
