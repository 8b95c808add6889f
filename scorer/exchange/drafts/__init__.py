"""Predicted masks as drafts for annotation tools, and corrected drafts back as masks."""
