"""Plain PyTorch scripts of the shipped models, as a user would write them without gendsl."""
