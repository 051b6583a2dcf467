"""Many pictures at once: ``minstyle batch``."""
