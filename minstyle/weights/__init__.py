"""Getting weights in: where they are, from which formats, from where.

Each file is imported by its name (``minstyle.weights.convert``), so that finding a file loads no readers.
"""
