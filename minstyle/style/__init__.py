"""The losses and what they compare: the objective, a function of the image."""
