"""From a cell's source to tasks: its loops are found, analysed with the notebook's objects, and split into stages."""
