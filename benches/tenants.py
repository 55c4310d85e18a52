#!/usr/bin/env python3
"""A thousand apps on one host: the memory of each dormant app, and the time to wake one.

Each has its own component and compiled data, 46 MB on disk. All get one request, are woken again
after they were evicted, and, where the page cache can be dropped (as root), are woken from the
disk. `--links` measures further apps that are links to one component, which is quick to prepare.
"""

from __future__ import annotations

import argparse
import datetime
import http.client
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import environment
from environment import say
from load import BenchError
from servers import APPS, BENCHES, BOLT_HOST, free_port

IDLE_SECONDS = 3
# Seconds: disks still write after they have reported that they are done.
SETTLING = 45
# How often all are woken in each way, because machines pause.
PASSES = 3
# A component and its own compiled data, in bytes.
APP_SIZE = 50_000_000


def distinct(wasm: bytes, number: int) -> bytes:
    """The same component with another hash: a custom section with a number is appended."""
    content = b"\x06number" + number.to_bytes(4, "little")
    return wasm + bytes([0, len(content)]) + content


def forget_files() -> bool:
    """Drop the page cache, so that files are read from the disk again."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("1")
    except OSError:
        return False
    return True


class Host:
    """A host of `count` apps, all of one component unless they are `distinct`."""

    def __init__(self, count: int, folder: Path, is_distinct: bool) -> None:
        wasm = folder / "app.wasm"
        build = [str(BOLT_HOST), "build", str(APPS / "bolt_app.py"), "-o", str(wasm)]
        subprocess.run(build, check=True, capture_output=True)
        self.port, self.admin_port = free_port(), free_port()
        lines = [
            "[server]",
            f'listen = ["127.0.0.1:{self.port}"]',
            f'admin = "127.0.0.1:{self.admin_port}"',
            "workers = 2",
            f'idle = "{IDLE_SECONDS}s"',
        ]
        component = wasm.read_bytes()
        for number in range(count):
            place = folder / f"app{number}.wasm"
            if is_distinct:
                content = distinct(component, number)
                # Keep those of an earlier run, with their compiled data.
                if not place.exists() or place.read_bytes() != content:
                    place.write_bytes(content)
            else:
                os.link(wasm, place)
            lines += [f"[app.app{number}]", f'source = "app{number}.wasm"', f'prefix = "/{number}"']
        file = folder / "host.toml"
        file.write_text("\n".join(lines))
        # Distinct apps use a cache in their own folder.
        cache = ["--cache", str(folder / "cache")] if is_distinct else []
        check = [str(BOLT_HOST), "check", str(file), *cache]
        subprocess.run(check, check=True, capture_output=True)
        command = [str(BOLT_HOST), "serve", str(file), "--log-format", "off", *cache]
        self.token = secrets.token_hex(16)
        variables = {**os.environ, "BOLT_ADMIN_TOKEN": self.token}
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=variables)

    def admin(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def until(self, path: str, done: str) -> None:
        deadline = time.monotonic() + 1200
        while done not in self.admin(path)[1]:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"the host does not come to {done!r}")
            time.sleep(0.1)

    def loaded(self) -> int:
        apps = json.loads(self.admin("/apps")[1])["apps"]
        return sum(app["loaded"] for app in apps)

    def memory(self) -> int:
        """Private memory, in KiB, without mapped files."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        rows = dict(line.split(":", 1) for line in text.splitlines()[1:])
        return int(rows["Private_Dirty"].split()[0])

    def wake(self, number: int) -> float:
        """Milliseconds from the request to its response, on an open connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.connect()
        start = time.perf_counter()
        connection.request("GET", f"/{number}/")
        answer = connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - start) * 1000
        connection.close()
        if answer.status != 200:
            raise BenchError(f"app {number} answered {answer.status}: {body[:100]!r}")
        return took


def spread(times: list[float]) -> str:
    late = times[len(times) * 99 // 100]
    return f"p50 {median(times):.1f} ms, p99 {late:.1f} ms, most {times[-1]:.1f} ms"


def stolen() -> float:
    """Steal time of this machine in seconds, as far as the hypervisor reports it."""
    row = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(row[8]) / os.sysconf("SC_CLK_TCK")


def wake_all(host: Host, numbers: range, what: str) -> str:
    before = stolen()
    times = sorted(host.wake(number) for number in numbers)
    return f"{what}: first answer {spread(times)} ({stolen() - before:.2f} s stolen)"


def rest(host: Host) -> None:
    """Wait until every app is evicted."""
    deadline = time.monotonic() + 60
    while left := host.loaded():
        if time.monotonic() > deadline:
            raise BenchError(f"{left} apps are not put away")
        time.sleep(0.5)


def measure(count: int, folder: Path, is_distinct: bool) -> list[str]:
    host = Host(count, folder, is_distinct)
    if is_distinct:
        # Wait for the disk to write what was just prepared.
        os.sync()
        time.sleep(SETTLING)
    lines = []
    try:
        host.until("/readyz", "ready")
        before = host.memory()
        kind = "distinct" if is_distinct else "links to one"
        lines.append(
            f"{count} apps ({kind}), "
            f"{before / 1024:.1f} MiB of private memory when none was asked for"
        )
        every = range(count)
        lines.append(wake_all(host, every, "each asked for once"))
        most = host.memory()
        rest(host)
        after = host.memory()
        lines.append(
            f"{most / 1024:.1f} MiB then; all are put away {IDLE_SECONDS} s later, "
            f"{after / 1024:.1f} MiB: {(after - before) / count:.1f} KiB for each, "
            f"{after / count:.1f} KiB with the host"
        )
        for _ in range(PASSES):
            lines.append(wake_all(host, every, "each woken again"))
            rest(host)
        for _ in range(PASSES if is_distinct else 0):
            if forget_files():
                # The first request also reads the host's own code again.
                host.wake(0)
                lines.append(wake_all(host, every[1:], "each woken, read from the disk"))
                rest(host)
        last = host.memory()
        lines.append(f"in the end {last / 1024:.1f} MiB, {last / count:.1f} KiB for each")
    finally:
        host.process.terminate()
        host.process.wait()
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--links", type=int, default=0, metavar="N", help="so many others")
    parser.add_argument(
        "--folder", type=Path, help="where distinct apps stay, to be measured again"
    )
    parser.add_argument("--output", type=Path, default=BENCHES / "runs", metavar="DIR")
    args = parser.parse_args()
    environment.raise_file_limit()
    kept: Path | None = args.folder
    there = 0
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        there = len(list(kept.glob("app*.wasm")))
    free = shutil.disk_usage(kept or tempfile.gettempdir()).free
    if free < (args.apps - there) * APP_SIZE:
        sys.exit(
            f"{args.apps} apps take {args.apps * APP_SIZE / 1e9:.0f} GB: ask for fewer, --apps"
        )
    lines: list[str] = []
    for count, is_distinct in ((args.apps, True), (args.links, False)):
        if count and is_distinct and kept:
            lines += ["", *measure(count, kept, is_distinct)]
        elif count:
            with tempfile.TemporaryDirectory(prefix="bolt-tenants-") as folder:
                lines += ["", *measure(count, Path(folder), is_distinct)]
    for line in lines:
        say(line)
    today = datetime.date.today().isoformat()
    command = f"python3 benches/tenants.py --apps {args.apps} --links {args.links}"
    head = f"{today}, {environment.cores()} cores; {command}"
    path = args.output / f"{today}-tenants.txt"
    path.write_text("\n".join([head, *lines]) + "\n")
    say(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
