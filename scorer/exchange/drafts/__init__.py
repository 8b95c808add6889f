"""Exports predicted masks as drafts to annotation tools, and imports corrected drafts as masks."""
