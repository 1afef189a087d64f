"""From a request to results in the notebook."""
