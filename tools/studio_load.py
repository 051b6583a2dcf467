"""A studio under load: many small jobs in its queue, many who watch; is anything lost, and does memory stay flat?

    python tools/studio_load.py --jobs 200 --watchers 20

Starts ``minstyle studio`` in a folder of its own, posts all jobs at once, follows them by so many streams of events,
and prints what came of it. Linux: it reads /proc for the memory of the server and its workers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import requests

from minstyle.images import save_image

SMALL = {"network": "mini", "size": 48, "effort": 0.02}
ENDED = ("done", "stopped", "failed")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--watchers", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = ["studio", "--folder", folder, "--port", "0", "--no-browser"]
        server = subprocess.Popen([sys.executable, "-m", "minstyle", *words], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1].rstrip("/")
            return measure(address, server.pid, options.jobs, options.watchers)
        finally:
            server.terminate()
            server.wait()


def measure(address: str, pid: int, count: int, watchers: int) -> int:
    """Print the figures; returns 1 where something was lost."""
    content, style = (upload(address, seed) for seed in (1, 2))
    request = {"content": content, "styles": [{"picture": style}], **SMALL}
    seen: list[dict[str, str]] = [{} for _ in range(watchers)]
    threads = [threading.Thread(target=watch, args=(address, found, count)) for found in seen]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    jobs = {requests.post(f"{address}/api/jobs", json=request, timeout=60).json()["id"] for _ in range(count)}
    posted = time.monotonic() - began
    memory, slowest = [], 0.0
    while any(thread.is_alive() for thread in threads):
        asked = time.monotonic()
        waiting = sum(
            job["state"] not in ENDED for job in requests.get(f"{address}/api/jobs?limit=500", timeout=60).json()
        )
        slowest = max(slowest, time.monotonic() - asked)
        memory.append((count - waiting, resident(pid), sum(map(resident, children(pid)))))
        time.sleep(1.0)
    memory.append((count, resident(pid), sum(map(resident, children(pid)))))
    seconds = time.monotonic() - began
    states = states_of(address)
    lost = sum(jobs != {key for key, state in found.items() if state == "done"} for found in seen)
    print(f"{count} jobs posted in {posted:.1f} s, ended after {seconds:.0f} s: {states.count('done')} done, "
          f"{count - states.count('done')} not; {watchers} watchers, {lost} of whom missed one")  # fmt: skip
    print(f"the list of all jobs took {slowest:.2f} s at most meanwhile")
    for part in (0.1, 0.5, 1.0):
        done, own, workers = next(row for row in memory if row[0] >= part * count * 0.999)
        print(f"after {done} jobs: server {own / 1e6:.0f} MB, worker {workers / 1e6:.0f} MB")
    return int(lost > 0 or states.count("done") != count)


def states_of(address: str) -> list[str]:
    return [job["state"] for job in requests.get(f"{address}/api/jobs?limit=500", timeout=60).json()]


def upload(address: str, seed: int) -> str:
    stream = BytesIO()
    save_image(np.random.default_rng(seed).uniform(0, 255, (40, 48, 3)).astype(np.float32), stream)
    answer = requests.post(f"{address}/api/pictures", data=stream.getvalue(), timeout=60)
    key: str = answer.json()["id"]
    return key


def watch(address: str, found: dict[str, str], count: int) -> None:
    """Follow all that happens until so many jobs have ended; note how."""
    with requests.get(f"{address}/api/events", stream=True, timeout=600) as answer:
        for line in answer.iter_lines():
            event = json.loads(line[6:]) if line.startswith(b"data: ") else {}
            if event.get("event") == "job" and event["job"]["state"] in ENDED:
                found[event["id"]] = event["job"]["state"]
                if len(found) == count:
                    return


def resident(pid: int) -> int:
    """Bytes of a process in memory; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")  # each thread has its own
    return [int(text) for file in lists for text in file.read_text().split()]


if __name__ == "__main__":
    sys.exit(main())
