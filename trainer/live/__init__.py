"""Labelling and learning at once: a page, and a model that learns from it while somebody clicks."""
