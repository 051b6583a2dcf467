"""Minimising a function of an array. Knows no images."""
