"""What happens, told to whoever listens: from any thread, to streams of server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

Event = dict[str, Any]  # {"event": its kind, ...}

_MOST = 500  # events that may wait for a listener: one who reads so slowly is let go, and comes again
_ALIVE = 15.0  # seconds after which a stream says that it is there


class Hub:
    """``publish`` in any thread; ``stream`` in the loop of the server."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._closed = False

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()

    def publish(self, event: Event) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._tell_all, event)

    def close(self) -> None:
        """End all streams, and those that are still to come: the server is to end."""
        self._closed = True
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._tell_all, None)

    def _tell_all(self, event: Event | None) -> None:
        for queue in list(self._listeners):
            if event is None or queue.qsize() >= _MOST:
                queue.put_nowait(None)
                self._listeners.discard(queue)
            else:
                queue.put_nowait(event)

    async def stream(
        self, first: Callable[[], list[Event]], wanted: Callable[[Event], bool], last: Callable[[Event], bool]
    ) -> AsyncIterator[bytes]:
        """``first``, which is asked once all that follows is heard, then the events that are wanted up to the last."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield b"retry: 1000\n\n"
            for event in await asyncio.to_thread(first):
                yield encoded(event)
                if last(event):
                    return
            while not self._closed:
                try:
                    heard = await asyncio.wait_for(queue.get(), _ALIVE)
                except asyncio.TimeoutError:
                    yield b": still here\n\n"
                    continue
                if heard is None:
                    return
                if wanted(heard):
                    yield encoded(heard)
                    if last(heard):
                        return
        finally:
            self._listeners.discard(queue)


def encoded(event: Event) -> bytes:
    return f"event: {event['event']}\ndata: {json.dumps(event)}\n\n".encode()
