"""The notebook's side of a loop at run time: checks on the objects, the front, the tail, errors."""
