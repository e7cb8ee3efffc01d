"""Processes that tests started and that are still there when these have ended."""

import os
import time

import psutil

RUN = "KEYTURN_TEST_RUN"  # in the environment of every process that this run of pytest starts
TEST = "PYTEST_CURRENT_TEST"  # pytest's own
WORKER = "keyturn.models.grammar.worker"  # of an engine in this process, with which it ends
PATIENCE_SECONDS = 5.0


def mark_this_run() -> None:
    os.environ[RUN] = str(os.getpid())


def left_behind(tests: str) -> list[psutil.Process]:
    """What tests whose ids begin like this have left, after a moment's patience."""
    if not _started_by(tests):
        return []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := _started_by(tests)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def end(processes: list[psutil.Process]) -> str:
    """Kill them; what they were, and which tests had started them."""
    lines: list[str] = []
    for process in processes:
        try:
            command, test = " ".join(process.cmdline()), process.environ()[TEST]
            process.kill()
        except psutil.Error:  # has ended by itself
            continue
        lines.append(f"{test} left process {process.pid}: {command}")
    psutil.wait_procs(processes, PATIENCE_SECONDS)
    return "\n".join(lines)


def _started_by(tests: str) -> list[psutil.Process]:
    run, found = str(os.getpid()), list[psutil.Process]()
    for process in psutil.process_iter():
        try:
            environ = process.environ()
            if process.ppid() == os.getpid() and process.cmdline()[-1:] == [WORKER]:
                continue
        except psutil.Error:  # gone, a zombie, or not ours to read
            continue
        if environ.get(RUN) == run and environ.get(TEST, "").startswith(tests):
            found.append(process)
    return found
