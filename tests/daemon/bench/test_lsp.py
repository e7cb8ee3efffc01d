"""`keyturn bench lsp` measures what it says, on few requests; the figures are not judged."""

import json
import subprocess

from support.editors.editor import keyturn


def test_the_figures_are_there_and_positive():
    done = subprocess.run(
        keyturn("bench", "lsp", "--requests", "20", "--starts", "1", "--json"),
        capture_output=True,
        text=True,
        check=True,
    )
    figures = json.loads(done.stdout)["figures"]
    assert set(figures) == {
        "overhead_p50_ms",
        "overhead_p99_ms",
        "front_ready_ms",
        "daemon_accepting_ms",
    }
    assert all(value > 0 for value in figures.values())
