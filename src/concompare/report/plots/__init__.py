"""The pictures of a report; the only door to matplotlib."""
