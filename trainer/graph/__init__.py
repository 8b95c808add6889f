"""What is traced into the scoring graph behind the features: passes, moments, best pixels."""
