"""Processes that tests have started, and those that they have: what else runs on the machine is not
theirs to kill."""

import subprocess


def below(ancestor: int) -> dict[int, str]:
    """The process and all that come from it, each with its command line."""
    listing = subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()[1:]]
    parents = {int(pid): int(parent) for pid, parent, _ in rows}
    found = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {int(pid): name for pid, _, name in rows if int(pid) in found}


def workers_below(ancestor: int) -> list[int]:
    """Ray's actors that train for it."""
    return [pid for pid, name in below(ancestor).items() if "ray::" in name and "_Worker" in name]
