"""From a file to the grid that a network sees, and back to its pixels."""
