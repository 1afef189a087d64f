"""From a comparison to what people see: one View, written as text, HTML and pictures."""
