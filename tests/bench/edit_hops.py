"""What an edit of one character costs on its way from the editor to the engine, by hop.

    python tests/bench/edit_hops.py [--lines 5000] [--edits 400]

A file of so many lines is typed into at its middle. Prints the median microseconds of each hop, and
beside them what it costs to find the same edit by comparing whole texts, as for `keyturn complete`.
"""

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from keyturn.cache.sequence import CachedSequence
from keyturn.daemon import protocol
from keyturn.daemon.completion.file_session import FileSession
from keyturn.daemon.file_text import FileText
from keyturn.lsp.documents import Change, Document, Position
from keyturn.models.hub.registry import DEFAULT_MODEL
from keyturn.models.loading.loader import load
from keyturn.models.prompts.fim import PromptBuilder

TYPED = "total = first_value + other(second_value, third), "


def source(lines: int) -> list[str]:
    """Python's own `argparse`, as often as needed."""
    page = Path(argparse.__file__).read_text(encoding="utf-8").splitlines(keepends=True)
    return [page[number % len(page)] for number in range(lines)]


class Stopwatch:
    """Microseconds of each hop."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = defaultdict(list)

    def time(self, hop: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        self.took[hop].append((time.perf_counter() - began) * 1e6)
        return result


@click.command(help=__doc__)
@click.option("--lines", default=5_000, show_default=True)
@click.option("--edits", default=400, show_default=True)
@click.option("--model", "name", default=DEFAULT_MODEL, show_default=True)
def main(lines: int, edits: int, name: str) -> None:
    loaded, text = load(name), source(lines)
    builder = PromptBuilder(loaded.tokenizer)
    told, compared = (
        FileSession(
            loaded.model, loaded.tokenizer, builder, CachedSequence(loaded.model.new_arena(0))
        )
        for _ in range(2)
    )
    document = Document("file:///a.py", "python", 0, "".join(text))
    opened = FileText.of(document.text)
    told.show(opened.text)
    compared.show("".join(text))
    watch, line = Stopwatch(), lines // 2
    for version in range(1, edits + 1):
        place = Position(line, version - 1)
        typed = TYPED[version % len(TYPED)]
        change = Change(typed, place, place)
        body = json.dumps({"text": typed, "range": {"start": [line, version], "end": [line, 0]}})
        watch.time("JSON of the editor", lambda body=body: json.loads(body))
        found = watch.time(
            "offsets (lsp/documents.py)",
            lambda change=change, at=version: document.apply(at, [change], "utf-16"),
        )
        frame = watch.time(
            "frame (daemon/protocol.py: pack)",
            lambda found=found, at=version: protocol.pack(protocol.Edit("file:///a.py", at, found)),
        )
        edit = watch.time(
            "message (daemon/protocol.py: unpack)",
            lambda frame=frame: protocol.unpack(frame[4:], protocol.FromClient),
        )
        before = opened
        opened, edited = watch.time(
            "text (daemon/file_text.py)",
            lambda before=before, edit=edit: before.edited(edit.edits[0]),
        )
        watch.time(
            "tokens and grammar (daemon/completion/file_session.py)",
            lambda before=before, edited=edited: told.follow(before.text, [edited]),
        )
        whole = "".join((opened.text, ""))  # a string of its own, as a request brings it
        watch.time("instead: whole texts compared", lambda whole=whole: compared.show(whole))
        assert told.text.text == compared.text.text
    for hop, took in watch.took.items():
        click.echo(f"{statistics.median(took):9.1f} µs  {hop}")
    path = [statistics.median(t) for hop, t in watch.took.items() if "instead" not in hop]
    click.echo(f"{sum(path):9.1f} µs  from the editor to the engine, {lines:,} lines")


if __name__ == "__main__":
    main()
