"""Reports as HTML, in notebooks and in files of their own."""
