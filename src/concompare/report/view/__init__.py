"""Content of a report as plain data, before it is text, HTML or a picture."""
