"""A daemon with a model that is killed takes its own processes with it."""

import os
import signal
import subprocess
from pathlib import Path

import psutil

from support.editors.editor import Editor, environment, keyturn
from support.until import until


def test_a_killed_daemon_leaves_no_grammar_worker(tiny_folder: Path, tmp_path: Path):
    environ = environment(tmp_path, str(tiny_folder), KEYTURN_COMPLETION_DEADLINE_MS="60000")
    with Editor(environ) as editor:
        editor.open("def add(a, b):\n    return a + b\n\n\nprint(add(1, ")
        until(lambda: editor.status().get("phase") == "ready", "the model is loaded")
        editor.ask(len(editor.text))
        daemon = psutil.Process(editor.status()["pid"])
        workers = daemon.children(recursive=True)
        assert workers
        os.kill(daemon.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs([daemon, *workers], timeout=10)
        assert alive == []
    subprocess.run(keyturn("daemon", "stop"), env=environ, check=True, capture_output=True)
