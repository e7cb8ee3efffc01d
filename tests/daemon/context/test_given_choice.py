"""What a file is shown on a server: what its user gives, and nothing that is not in it any more."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from keyturn.api.chunk import Chunk
from keyturn.api.report import Completion
from keyturn.api.request import CompletionOptions, CompletionRequest
from keyturn.api.uris import path_of
from keyturn.cache.budget import Budget
from keyturn.cache.chunks.store import ChunkStore
from keyturn.daemon.completion.chunk_encoder import ChunkEncoder
from keyturn.daemon.completion.completer import CompleterOptions
from keyturn.daemon.completion.idle_refresh import IdleWork, Refresher
from keyturn.daemon.context.given_choice import GivenChoice
from keyturn.daemon.context.project_context import ProjectContext
from keyturn.daemon.engines.model_engine import ModelEngine
from keyturn.daemon.file_text import FileText
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.jobs import FileKey
from keyturn.lsp.backend import ProjectRules
from support.daemon.model_engines import bytes_per_token, tiny_loaded
from support.daemon.small_engine import job_for

TEXT = "round = Circle(\n"
CIRCLE = Chunk("shapes.py", 0, "Circle", "# shapes.py\nclass Circle:\n    radius: float\n\n")
PAINT = Chunk("paint.py", 0, "paint", "# paint.py\ndef paint(shape): ...\n\n")


class Hosted:
    """One file on a server with an engine of its own."""

    def __init__(self) -> None:
        self.store = ChunkStore(10**8)
        loaded = tiny_loaded()

        def context(completer, aside) -> ProjectContext:
            encoder = ChunkEncoder(loaded.model, completer.sink, aside)
            return ProjectContext(GivenChoice(), encoder, loaded.tokenizer, self.store, 256)

        key = FileKey(1, "/main.py")
        rules = ProjectRules(is_read=False)
        self.file = File(key, "python", 1, FileText.of(TEXT), rules)
        self.engine = ModelEngine(
            loaded,
            CompleterOptions(context_tokens=512, project_tokens=256),
            path_of,
            Budget(8 * 1024 * bytes_per_token()),
            Refresher(IdleWork.FULL, lambda: False),
            project=context,
            open_files=lambda: [self.file],
        )

    def give(self, *chunks: Chunk) -> None:
        self.file = replace(self.file, chunks=chunks)

    def idle(self) -> bool:
        return self.engine.prepare(self.file.key, lambda: False)

    def ask(self) -> Completion:
        options = CompletionOptions(max_tokens=4)
        request = CompletionRequest(self.file.key.uri, 1, len(TEXT) - 1, options=options)
        return self.engine.complete(self.file, job_for(request, self.file.key))[0]

    def shown(self) -> list[str]:
        use = self.ask().meta.project
        return [] if use is None else [each.name for each in use.chunks]


@pytest.fixture
def hosted() -> Iterator[Hosted]:
    made = Hosted()
    yield made
    made.engine.close()


def test_what_is_given_is_shown_after_the_next_pause_and_looked_at_once(hosted: Hosted) -> None:
    assert hosted.shown() == []
    hosted.give(CIRCLE, PAINT)
    assert hosted.idle() is False
    assert hosted.shown() == ["Circle", "paint"]
    assert hosted.store.encoded == 2


def test_what_is_not_given_any_more_is_not_shown_from_then_on(hosted: Hosted) -> None:
    hosted.give(CIRCLE, PAINT)
    hosted.ask()
    hosted.idle()
    hosted.give(CIRCLE)
    assert "paint" not in hosted.shown()  # before any pause
    hosted.idle()
    assert hosted.shown() == ["Circle"]
    hosted.give()
    assert hosted.shown() == []


def test_a_chunk_of_nothing_is_no_chunk(hosted: Hosted) -> None:
    hosted.give(replace(PAINT, text=""), CIRCLE)
    hosted.ask()
    hosted.idle()
    assert hosted.shown() == ["Circle"]


def test_nothing_of_it_outlives_the_file(hosted: Hosted) -> None:
    hosted.give(CIRCLE, PAINT)
    hosted.ask()
    hosted.idle()
    assert len(hosted.store) == 2
    hosted.engine.forget(hosted.file.key)
    assert (len(hosted.store), hosted.store.used_bytes) == (0, 0)
