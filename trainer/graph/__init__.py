"""The modules that are traced into a scoring graph behind the features: passes, moments,
selection.
"""
