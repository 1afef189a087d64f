"""Open workers: started, kept warm, closed."""
