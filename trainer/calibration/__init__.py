"""Whether the probabilities of a model hold, and the temperature that mends them."""

LEAST, MOST = 1 / 20, 20.0  # temperatures; also known to the command line, which loads no PyTorch
