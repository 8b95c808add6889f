"""Active learning with ground truth in an annotator's place, measured round by round."""
