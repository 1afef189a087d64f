"""Cells that run in a process of their own, while the notebook goes on."""
