"""Calibrates a model: measures how reliable its probabilities are, and fits a temperature."""

# temperatures; defined here because the command line needs them without PyTorch
LEAST, MOST = 1 / 20, 20.0
