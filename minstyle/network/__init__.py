"""VGG: its layers, its features, the file that its weights are in."""
