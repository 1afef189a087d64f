"""Objects that cannot be sent to workers, made again there by the notebook's own line."""
