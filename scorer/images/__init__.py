"""Reads image files onto the grid of a network, and maps pixels between both."""
