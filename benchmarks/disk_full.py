"""Nights on a disk that is really full: the shop's data lies on a small file system of its own, filled up more and
more.

    sudo python -m benchmarks.disk_full

Needs the right to mount (a tmpfs). For each amount of room left a night is run: it must say plainly that there
is no room (exit code 6), yesterday's run must go on being served, and once there is room again the next night
must end as one that was never disturbed. Exit code 0 only if all of that holds; prints what stopped each night.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.children import Ended, command, in_child
from benchmarks.kills import contents, deliver, sample, set_seed
from store import runs
from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout

ROOMS = (0, 16, 64, 256, 512, 1024, 2048, 2304, 2560, 2688, 2816, 3072, 4096, 6144, 8192)
"""Kilobytes left on the file system when a night starts."""


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of so many megabytes at ``folder``."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(filler: Path, leave: int) -> None:
    """Fill the disk until only ``leave`` kilobytes are free."""
    filler.unlink(missing_ok=True)
    wanted = max(0, shutil.disk_usage(filler.parent).free - leave * 1024)
    with filler.open("wb") as file:
        while wanted > 0:
            wanted -= file.write(b"\0" * min(wanted, 1 << 20))


def served(home: Path) -> str | None:
    """The run that the pointer names."""
    with Journal.open(Layout(home), load_settings(Layout(home))) as journal:
        pointer = journal.pointer()
    return pointer.run_id if pointer else None


def night(home: Path) -> Ended:
    """A whole night by the command, in a process of its own."""
    return in_child(partial(command, home, "run", "--no-prefect"))


def said(ended: Ended) -> str:
    """The error message of a night, without its progress."""
    return ended.output[ended.output.rfind("nightloom: ") :].strip()


def trouble(ended: Ended, room: int) -> str | None:
    """What is wrong with the way a night without room ended, if anything."""
    if ended.code == 0 and not ended.signal:
        return None
    if ended.signal or ended.code != 6 or "Traceback" in ended.output or "try: " not in said(ended):
        return f"with {room} kB left: exit code {ended.code}, signal {ended.signal}: {ended.output[-2000:]}"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=120)
    parser.add_argument("--megabytes", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        drops = sample(root / "sample", arguments.profiles)
        homes = {name: root / name for name in ("undisturbed", "full")}
        with small_disk(homes["full"] / "data", arguments.megabytes):
            for home in homes.values():
                set_seed(home, 0)
                Layout(home).create()
                deliver(Layout(home), drops[:-2])
                if night(home).code:
                    raise SystemExit("the first night failed")
                set_seed(home, 1)
                deliver(Layout(home), drops[-2:])
            night(homes["undisturbed"])
            print(json.dumps(fill_and_run(homes["full"], contents(Layout(homes["undisturbed"]))), indent=1))
        sys.exit(0)


def fill_and_run(home: Path, expected: dict[str, Any]) -> dict[str, Any]:
    """Run nights with ever more room, then one with enough; what stopped each."""
    before, filler, report = served(home), home / "data" / "filler", {}
    for room in ROOMS:
        fill(filler, room)
        ended = night(home)
        report[f"{room} kB left"] = said(ended).splitlines()[0] if ended.code else "published"
        wrong = trouble(ended, room)
        filler.unlink()
        if wrong or (ended.code and served(home) != before):
            raise SystemExit(wrong or f"with {room} kB left the pointer moved to {served(home)}")
        if not ended.code:
            break
    ended = night(home)
    if ended.code:
        raise SystemExit(f"the night with room failed: {ended.output}")
    runs.verify(Layout(home).run(str(served(home))))
    if contents(Layout(home)) != expected:
        raise SystemExit("the warehouse differs from an undisturbed one")
    report["with room"] = "published, equal to an undisturbed one"
    return report


if __name__ == "__main__":
    main()
