"""The studio: a page on this machine, and the server behind it, that calls ``job``. ``python -m minstyle studio``."""
