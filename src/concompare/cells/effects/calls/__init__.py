"""Calls: which callables there may be, and what each does with its arguments."""
