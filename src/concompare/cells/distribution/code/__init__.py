"""The code of the stages: names that are held, actions, entries of the record."""
