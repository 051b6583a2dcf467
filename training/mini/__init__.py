"""The parts of train_mini.py: crops, both networks, how the student begins and learns."""
