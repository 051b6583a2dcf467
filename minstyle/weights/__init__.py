"""Weights files: finding those on this machine, downloading others, converting other programs' formats.

Import each module by its own name (``minstyle.weights.convert``): this one imports nothing, so that finding a file
(``locate``) does not load the readers.
"""
