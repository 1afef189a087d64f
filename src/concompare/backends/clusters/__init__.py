"""Workers that may be on other machines."""
