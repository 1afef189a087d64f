"""Display of runs and comparisons."""
