"""The parts of train_mini.py."""
