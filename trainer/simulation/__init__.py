"""Simulates active learning, with ground truth as the annotator, and measures every round."""
