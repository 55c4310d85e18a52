"""Three million requests to one process: memory after the first 100 000 must stay within 2 %."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from servers import ROOT, STOP_SECONDS

BINARY = ROOT / "target/release/bolt-host"
FIXTURE = ROOT / "tests/fixture/app.py"
# 1 KB replies from a `def` handler: a leak of results would show here first.
PATH = "/kilobyte"


def private_kilobytes(pid: int) -> int:
    """Private memory of the process, in kB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"^Private_\w+:\s+(\d+) kB", rollup, re.M))


def load(address: str, seconds: float) -> int:
    """Run wrk for this long; returns the number of requests that were answered."""
    command = ["wrk", "-t1", "-c32", f"-d{max(1, round(seconds))}s", f"{address}{PATH}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(said)
    match = re.search(r"(\d+) requests in", said)
    return int(match[1]) if match else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3_000_000)
    parser.add_argument(
        "--allowed", type=float, default=0.02, help="growth, as a part of the whole"
    )
    args = parser.parse_args()
    # Few instances: with room for more, the pool may still add whole ones after the warm-up.
    flags = "--build=first --port=0 --log-format=off --instances=4"
    command = [str(BINARY), "run", str(FIXTURE), *flags.split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            lines = iter(server.stdout)
            address = next(line.split()[-1] for line in lines if line.startswith("listening on"))
            done = warm = 0
            start = time.monotonic()
            while done < args.requests:
                done += load(address, 3 if not warm else 15)
                now = private_kilobytes(server.pid)
                print(
                    f"{done:>10,} requests  {now:>8,} kB  {time.monotonic() - start:5.0f} s",
                    flush=True,
                )
                if not warm and done >= 100_000:
                    warm = now
            growth = private_kilobytes(server.pid) / warm - 1
        finally:
            server.terminate()
            server.wait(STOP_SECONDS * 4)
    print(f"grown by {growth:.2%} since the first 100 000 requests")
    sys.exit(growth > args.allowed)


if __name__ == "__main__":
    main()
