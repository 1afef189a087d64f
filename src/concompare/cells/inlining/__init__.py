"""Procedure inlining: a call that stays in the notebook for a part of what it does, as the body of its function."""
