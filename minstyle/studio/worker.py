"""The process that paints: tasks in as lines of JSON on standard input, what happens out as such lines.

    {"do": "paint", "id": ..., "content": path, ...}   a job with its picture, checkpoints, trace
    {"do": "small", ...}                               a small painting to choose from
    {"do": "estimate", ...}                            what a job will take
    {"stop": id}                                       ends that task, with the best picture so far

Each task ends with {"id": ..., "event": "end", "state": ...}. When standard input ends, so does the process, with the
picture and a checkpoint of what it was at: the server that started it has gone. A long step is broken off.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import IO, Any

from ..engine.kernels import use_threads
from ..errors import CheckpointError, MinstyleError
from ..front import reason
from ..job.checkpoint import Kept, find_kept
from ..job.description import Job
from ..job.inputs import read_pictures, read_regions
from ..job.job import check_memory, paint, prepare
from ..job.machine import Machine, load_networks
from ..notices import MASK_RESAMPLED, Notice
from ..recipe.recipe import Recipe
from ..run.stylize import stylize
from ..watch.bystander import Bystander
from ..watch.checkpoints import generations
from .reporter import Reporter, StopSwitch, Tell
from .views import save_view

Task = dict[str, Any]
_GRACE = 20.0  # seconds to write picture and checkpoint in, once the server is gone


class Inbox:
    """Reads standard input in a thread of its own: tasks wait in line, a stop is heard at once."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._tasks = stream, queue.SimpleQueue[Task | None]()
        self.switch = StopSwitch()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._stream:
            message = json.loads(line)
            if "stop" in message:
                self.switch.stop(message["stop"])
            else:
                self._tasks.put(message)
        self.switch.stop_all()
        self._tasks.put(None)
        time.sleep(_GRACE)
        os._exit(1)  # in the midst of a long step: the server is gone, and another may be at this folder

    def next(self) -> Task | None:
        return self._tasks.get()


def main() -> int:
    """Work until standard input ends."""
    # What libraries print is not for the server.
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as out:
        os.dup2(2, 1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the server too, who ends this process
        warnings.filterwarnings("ignore", module=r"PIL\.")  # damage beside a picture
        inbox = Inbox(sys.stdin)
        while (task := inbox.next()) is not None:
            tell = _teller(out, task)
            end = work(task, tell, inbox.switch)
            tell({"event": "end", **end})
    return 0


def _teller(out: IO[str], task: Task) -> Tell:
    """Sends what happens in a task, with pictures' names in the place of their paths."""
    names = sorted(task.get("names", {}).items(), key=lambda pair: -len(pair[0]))

    def tell(message: dict[str, Any]) -> None:
        for key in ("error", "text", "refused"):
            for path, name in names if isinstance(message.get(key), str) else ():
                message[key] = message[key].replace(path, name)
        with contextlib.suppress(OSError):  # nobody listens any more: the work is finished and kept all the same
            out.write(json.dumps({"id": task["id"], **message}) + "\n")

    return tell


def work(task: Task, tell: Tell, switch: StopSwitch) -> dict[str, Any]:
    """Do a task; returns how it ended."""
    switch.begin(task["id"])
    try:
        switch.check()
        return {"paint": _paint, "small": _small, "estimate": _estimate}[task["do"]](task, tell, switch)
    except KeyboardInterrupt:
        return {"state": "stopped", "error": None}
    except (MinstyleError, OSError, MemoryError) as error:
        return {"state": "failed", "error": " ".join(reason(error).split())}
    except Exception as error:  # a mistake of ours: the queue goes on all the same
        sys.excepthook(type(error), error, error.__traceback__)
        return {"state": "failed", "error": f"a mistake in minstyle, please report it: {error!r}"}
    finally:
        switch.end()


def _job(task: Task, **more: Any) -> Job:
    return Job(
        content=Path(task["content"]),
        styles=tuple(map(Path, task["styles"])),
        out=Path(task["out"]),
        recipe=Recipe.from_json(json.dumps(task["recipe"])),
        masks=tuple(map(Path, task["masks"])) if task["masks"] else None,
        initial=Path(task["initial"]) if task["initial"] else None,
        machine=Machine(task["network"], None, task["device"], task["threads"]),
        keep_metadata=task["keep_metadata"],
        **more,
    )


def _paint(task: Task, tell: Tell, switch: StopSwitch) -> dict[str, Any]:
    job = _job(task, trace=Path(task["trace"]), checkpoints=True)

    def notify(notice: Notice) -> None:
        if notice.kind != MASK_RESAMPLED:  # masks are painted at the size of the page: nothing to tell
            tell({"event": "notice", "text": notice.text})

    prepared = prepare(job, notify, kept=_kept(job, notify))
    reporter = Reporter(Path(task["view"]), tell, notify)
    result = paint(prepared, [Bystander(reporter)], [switch])
    reporter.finish(result)
    for error in filter(None, (observer.error for observer in prepared.observers)):
        tell({"event": "notice", "text": " ".join(reason(error).split())})
    if result.error is None:
        return {"state": "done", "error": None}
    if isinstance(result.error, KeyboardInterrupt):
        return {"state": "stopped", "error": None}
    return {"state": "failed", "error": f"ended early: {reason(result.error)}"}


def _kept(job: Job, notify: Any) -> Kept | None:
    """The checkpoint that the job goes on from, if there is one; a damaged one is told, and the job begins anew."""
    if not any(path.exists() for path in generations(job.checkpoint_path)[:2]):
        return None
    try:
        return find_kept(job.out)
    except CheckpointError as error:
        notify(Notice("checkpoint", f"begun anew: {error}"))
        for path in generations(job.checkpoint_path):
            path.unlink(missing_ok=True)
        return None


def _small(task: Task, tell: Tell, switch: StopSwitch) -> dict[str, Any]:
    """Without checkpoint, estimate and metadata, which would take longer than the painting."""
    job = _job(task)
    content, styles = read_pictures(job.content, job.styles, job.recipe, _pass_over)
    regions = None if job.masks is None else read_regions(job.masks, job.recipe, content, styles, _pass_over)
    network = load_networks(job.machine, [job.recipe]).network
    with use_threads(job.machine.threads):
        result = stylize(content, styles, job.recipe, network=network, regions=regions, observers=[switch])
    save_view(result.image, job.out)
    return {"state": "done" if result.error is None else "stopped", "error": None}


def _pass_over(notice: Notice) -> None:
    """What is to be said of the pictures is said when they are painted."""


def _estimate(task: Task, tell: Tell, switch: StopSwitch) -> dict[str, Any]:
    prepared = prepare(_job(task, checkpoints=False))
    found: dict[str, Any] = {"seconds": prepared.estimate.seconds, "memory": prepared.estimate.memory, "refused": None}
    try:
        check_memory(prepared)
    except MinstyleError as error:
        found["refused"] = str(error)
    return {"state": "done", "error": None, **found}


if __name__ == "__main__":
    sys.exit(main())
