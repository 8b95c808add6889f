"""Exports and imports labels in the formats of annotation tools."""
