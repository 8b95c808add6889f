"""From the scores of an image to the pixels that are asked."""
