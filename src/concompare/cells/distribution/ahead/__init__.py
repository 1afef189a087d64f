"""The front: what the notebook computes before an item goes out."""
