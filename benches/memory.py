"""The memory case: the memory of one more pooled instance, and of a worker process."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from load import BenchError, send
from servers import Running

INSTANCES = 64
# Long enough that all requests of one volley are in flight at the same time.
SPIN_MS = 300


@dataclass(frozen=True)
class Usage:
    """Memory of one process in KiB, from the kernel's smaps_rollup."""

    rss: int
    pss: int
    private: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def usage(pid: int) -> Usage:
    fields: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        fields[name] = int(rest.split()[0])
    return Usage(
        rss=fields["Rss"],
        pss=fields["Pss"],
        # The memory that would be freed if only this process ended.
        private=fields["Private_Clean"] + fields["Private_Dirty"],
    )


@dataclass(frozen=True)
class Process:
    """What the kernel says of a process."""

    parent: int
    session: int
    # In clock ticks.
    used: int
    # The processor time of its children that ended, in seconds.
    waited: float


def processes() -> dict[int, Process]:
    found: dict[int, Process] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue  # ended meanwhile
        # The name in parentheses may contain spaces, so count from its end.
        fields = text[text.rindex(")") + 2 :].split()
        parent, session = int(fields[1]), int(fields[3])
        own, waited = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
        found[int(stat.parent.name)] = Process(parent, session, own, waited / tick)
    return found


def session_processes(leader: int) -> dict[int, int]:
    """The processes of a server's session, each with the CPU time it has used."""
    found = processes()
    return {pid: process.used for pid, process in found.items() if process.session == leader}


def workers(running: Running) -> list[Usage]:
    """The processes that answered requests: those that used the most CPU time."""
    times = session_processes(running.process.pid)
    busiest = sorted(times, key=lambda pid: times[pid], reverse=True)
    return [usage(pid) for pid in busiest[: running.server.processes]]


def total(running: Running) -> Usage:
    found = [usage(pid) for pid in session_processes(running.process.pid)]
    return Usage(
        rss=sum(one.rss for one in found),
        pss=sum(one.pss for one in found),
        private=sum(one.private for one in found),
    )


def spin(port: int, milliseconds: int) -> int:
    return send(port, "GET", f"/spin?ms={milliseconds}", timeout=180)[0]


def anonymous(running: Running) -> int:
    """KiB that no file holds, of all processes of a server; pages they share count once."""
    found = 0
    for pid in session_processes(running.process.pid):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found += sum(map(int, re.findall(r"^Pss_Anon:\s+(\d+) kB", text, re.MULTILINE)))
    return found


def processor_seconds_of(found: Iterable[int]) -> float:
    """The processor time of processes, threads that ended included."""
    seconds = 0.0
    for pid in found:
        with contextlib.suppress(OSError):
            # The clock of another process; /proc/PID/stat counts in steps of 10 ms.
            seconds += time.clock_gettime((~pid << 3) | 2)
    return seconds


def processor_seconds(running: Running) -> float:
    """The processor time of all processes of a server."""
    return processor_seconds_of(session_processes(running.process.pid))


def per_instance(running: Running) -> dict[str, Any]:
    """Keep every instance of bolt-host busy at once; returns the growth for each new one.

    One request is answered first, so that the first instance and all one-time
    allocations are in the baseline.
    """
    if spin(running.port, 1) != 200:
        raise BenchError("bolt-host does not answer /spin")
    time.sleep(0.5)
    before = total(running)
    with ThreadPoolExecutor(INSTANCES) as pool:
        answers = list(pool.map(lambda _: spin(running.port, SPIN_MS), range(INSTANCES)))
    failed = [status for status in answers if status != 200]
    if failed:
        raise BenchError(f"{len(failed)} of {INSTANCES} /spin requests failed: {set(failed)}")
    after = total(running)
    # Divided by the new ones only; assumes that the volley really created them.
    new = INSTANCES - 1
    return {
        "instances": INSTANCES,
        "before": before.as_json(),
        "after": after.as_json(),
        "private_per_instance_kib": round((after.private - before.private) / new, 1),
        # A page of the shared image is private while one instance maps it and
        # shared once two do, so private growth alone leaves such pages out.
        # PSS counts every page of the process once, however often it is mapped.
        "pss_per_instance_kib": round((after.pss - before.pss) / new, 1),
    }
