"""Executors and pools with the surfaces of the standard library's, and what else takes calls one by one."""
