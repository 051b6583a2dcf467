"""Recipes: every choice that makes a picture, as data."""
