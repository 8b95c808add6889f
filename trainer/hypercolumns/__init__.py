"""Trains a head on features of a frozen backbone, which are cached in a file."""
