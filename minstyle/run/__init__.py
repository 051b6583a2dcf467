"""The loop over sizes: from pictures and a recipe to the finished picture."""
