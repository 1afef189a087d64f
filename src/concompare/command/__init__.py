"""The command line, `python -m concompare`: arguments in, text or JSON out."""
