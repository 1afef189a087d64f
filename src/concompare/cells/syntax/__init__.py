"""Python source as trees: parsing, positions, definitions and uses of names."""
