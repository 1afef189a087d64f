"""Stand-ins for executors and pools: they collect a cell's calls and run them as one task when a result is needed."""
