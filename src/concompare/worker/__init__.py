"""Everything of ours that runs inside workers; needs the standard library and cloudpickle only."""
