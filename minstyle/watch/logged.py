"""Notices in Python's own log, for programs that have no terminal to print on."""

from __future__ import annotations

import logging

from ..notices import Notice
from ..run.observer import Observer

LOG = logging.getLogger("minstyle")


class Logged(Observer):
    """Tells notices to the logger "minstyle", as warnings."""

    def notice(self, notice: Notice) -> None:
        LOG.warning("%s", notice.text)
