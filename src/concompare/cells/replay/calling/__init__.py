"""Calls that call a function with items: the values are computed first, then the call runs and is handed them."""
