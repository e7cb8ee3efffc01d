"""A server that goes away in the middle of typing, and comes back: nobody stops typing for it."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from keyturn.daemon.bench._team.own_server import free_port, own_server
from support.editors.editor import Editor, environment, keyturn
from support.until import until

TEXT = "def one():\n    return total\n\n\ndef two():\n    ret"


def test_the_local_engine_answers_while_the_server_is_away(tmp_path: Path) -> None:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="kt") as folder:
        temporary = {"RAY_TMPDIR": folder}
        token = ""

        def serving() -> Any:
            return own_server(Path(folder), "lookup", ["ann"], 1, temporary, port)

        with serving() as server:
            token = server.tokens["ann"]
            environ = environment(
                tmp_path, server.url, KEYTURN_TOKEN=token, KEYTURN_MODEL_FALLBACK="lookup"
            )
            editor = Editor(environ)
            editor.__enter__()
            editor.open(TEXT)
            assert editor.ask(len(TEXT)) == ["urn total"]
            assert told(editor)["server"]["answered"] == 1
            editor.replace(len(TEXT), len(TEXT), "u")
        assert editor.ask(len(editor.text)) == ["rn total"]
        away = told(editor)
        assert away["fallback"] == {"model": "lookup", "answered": 1}
        assert not away["server"]["available"]
        assert "cannot be reached" in message(editor)
        assert "lookup answers" in message(editor)
        shown = subprocess.run(
            keyturn("daemon", "status"), env=environ, capture_output=True, text=True, check=True
        ).stdout
        assert "server     cannot be reached" in shown
        assert "fallback   lookup; 1 answered" in shown
        editor.replace(len(editor.text), len(editor.text), "r")
        assert editor.ask(len(editor.text)) == ["n total"]
        with serving():
            until(lambda: told(editor)["server"]["available"], "the server is used again", 90)
            assert message(editor) == ""
            editor.replace(len(editor.text) - 1, len(editor.text), "")
            assert editor.ask(len(editor.text)) == ["rn total"]
            assert told(editor)["server"]["answered"] == 2
        editor.__exit__()
        subprocess.run(keyturn("daemon", "stop"), env=environ, check=True, timeout=60)


def told(editor: Editor) -> dict[str, Any]:
    """What the daemon says of its engine."""
    return editor.status()["engine"]


def message(editor: Editor) -> str:
    """What the status bar says beside the model's name."""
    editor.status()  # and all that was sent before it
    states = [note["params"] for note in editor.notes if note.get("method") == "keyturn/status"]
    return states[-1]["message"]
