"""From a pool to its ranking."""
