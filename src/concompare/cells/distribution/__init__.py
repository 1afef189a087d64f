"""Loop distribution: which part of a body runs in which stage, and the code of each stage."""
