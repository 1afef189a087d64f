"""The ways to write work over items, one module for each; all give the same `Loop`."""
