"""What only makes a pass on worker processes of this machine quicker: nothing here is needed for its results."""
