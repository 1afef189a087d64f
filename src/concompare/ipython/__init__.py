"""The magics: options in, results and reports out; the only door to IPython."""
