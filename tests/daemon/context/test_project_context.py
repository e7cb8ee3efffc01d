"""What a file is shown of its project: chosen, encoded and bound in idle time, and never a lie."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.api.report import Completion, ProjectUse
from keyturn.api.request import CompletionOptions, CompletionRequest
from keyturn.api.uris import KEPT_SCHEME, path_of
from keyturn.cache.budget import Budget
from keyturn.cache.chunks.store import ChunkStore
from keyturn.daemon.completion.chunk_encoder import ChunkEncoder
from keyturn.daemon.completion.completer import CompleterOptions
from keyturn.daemon.completion.idle_refresh import IdleWork, Refresher
from keyturn.daemon.context.project_choice import ProjectChoice
from keyturn.daemon.context.project_context import ProjectContext
from keyturn.daemon.engines.model_engine import ModelEngine
from keyturn.daemon.file_text import FileText
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.jobs import FileKey
from keyturn.lsp.backend import ProjectRules
from support.daemon.model_engines import bytes_per_token, tiny_loaded
from support.daemon.small_engine import job_for
from support.project.indexed_folder import IndexedFolder

SHAPES = '''class Circle:
    """A round thing."""

    def __init__(self, radius: float, centre: tuple[int, int]) -> None:
        self.radius = radius
'''
PAINT = '''def paint(shape, colour: str = "red") -> None:
    """Show a shape."""
'''
MAIN = "from shapes import Circle\nfrom paint import paint\n\nround = Circle(\n"


class Window:
    """An engine with a project, and the files that are open in one editor."""

    def __init__(self, project: IndexedFolder, tokens: int = 256) -> None:
        self.project = project
        self.store = ChunkStore(10**8)
        self.open: dict[FileKey, File] = {}
        loaded = tiny_loaded()

        def context(completer, aside) -> ProjectContext:
            encoder = ChunkEncoder(loaded.model, completer.sink, aside)
            choice = ProjectChoice(project, path_of, self.open.values)
            return ProjectContext(choice, encoder, loaded.tokenizer, self.store, tokens)

        self.engine = ModelEngine(
            loaded,
            CompleterOptions(context_tokens=512, project_tokens=tokens),
            path_of,
            Budget(8 * 1024 * bytes_per_token()),
            Refresher(IdleWork.FULL, lambda: False),
            project=context,
            open_files=self.open.values,
        )

    def show(
        self, path: str, text: str, rules: ProjectRules | None = None, client: int = 1
    ) -> None:
        key = self.key(path, client)
        self.open[key] = File(key, "python", 1, FileText.of(text), rules or ProjectRules())

    def key(self, path: str, client: int = 1) -> FileKey:
        return FileKey(client, (self.project.root / path).as_uri())

    def idle(self, path: str, after: int | None = None) -> bool:
        """A quiet moment, cut short after so many looks whether it is over."""
        left = iter(range(10**9 if after is None else after))
        return self.engine.prepare(self.key(path), lambda: next(left, None) is None)

    def ask(self, path: str, offset: int | None = None) -> Completion:
        file = self.open[self.key(path)]
        offset = len(file.text.raw) - 1 if offset is None else offset
        request = CompletionRequest(
            file.key.uri, 1, offset, options=CompletionOptions(max_tokens=4)
        )
        return self.engine.complete(file, job_for(request, file.key))[0]

    def used(self, path: str, offset: int | None = None) -> ProjectUse:
        use = self.ask(path, offset).meta.project
        assert use is not None
        return use

    def shown(self, path: str) -> list[str]:
        return [f"{each.path}:{each.line} {each.name}" for each in self.used(path).chunks]


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    files = {"shapes.py": SHAPES, "paint.py": PAINT, "main.py": MAIN}
    made = Window(IndexedFolder(tmp_path / "project", tmp_path / "cache", files))
    yield made
    made.engine.close()


def test_a_file_that_was_just_opened_is_answered_with_what_was_prepared_for_it(window: Window):
    window.show("main.py", MAIN)
    window.idle("main.py")
    answer = window.ask("main.py")
    assert answer.meta.project is not None
    assert {each.name for each in answer.meta.project.chunks} == {"Circle", "paint"}
    assert answer.meta.project.missing == 0
    assert answer.meta.project.tokens > 20
    assert answer.meta.prompt_tokens > answer.meta.project.tokens


def test_no_completion_waits_for_chunks_and_the_next_one_has_them(window: Window):
    window.show("main.py", MAIN)
    first = window.ask("main.py")
    assert window.store.encoded == 0
    assert first.meta.project is None or not first.meta.project.chunks
    window.idle("main.py")
    assert window.shown("main.py") == ["shapes.py:1 Circle", "paint.py:1 paint"]
    cache = window.ask("main.py").meta.cache
    assert cache is not None
    assert cache.encoded <= 4  # nothing of the file, but its markers


def test_interrupted_work_goes_on_where_it_was(window: Window):
    window.show("main.py", MAIN)
    window.ask("main.py")
    for looks in range(100):
        window.idle("main.py", after=looks)
    assert window.shown("main.py") == ["shapes.py:1 Circle", "paint.py:1 paint"]
    assert window.store.encoded == 2


def test_a_signature_changed_in_another_open_file_is_seen_after_the_next_pause(window: Window):
    for path, text in (("shapes.py", SHAPES), ("main.py", MAIN)):
        window.show(path, text)
    window.ask("main.py")
    window.idle("main.py")
    before = window.used("main.py")
    window.show("shapes.py", SHAPES.replace("radius: float", "width: int, height: int, angle: int"))
    window.idle("shapes.py")  # it is there that something was typed; on disk it is as before
    after = window.used("main.py")
    assert after.chunks == before.chunks
    assert after.tokens > before.tokens
    assert after.missing == 0


def test_a_file_changed_on_disk_is_seen_after_the_next_pause(window: Window):
    window.show("main.py", MAIN)
    window.ask("main.py")
    window.idle("main.py")
    before = window.store.encoded
    window.project.write("paint.py", PAINT.replace("shape, colour", "shape, width, colour"))
    window.idle("main.py")
    assert window.store.encoded == before + 2  # and what stands behind it
    window.project.write("paint.py", "")
    window.idle("main.py")
    assert window.shown("main.py") == ["shapes.py:1 Circle"]


def test_nothing_is_chosen_or_encoded_twice_while_nothing_changes(window: Window):
    window.show("main.py", MAIN)
    window.ask("main.py")
    window.idle("main.py")
    bound, encoded = window.used("main.py").bind_ms, window.store.encoded
    for _ in range(3):
        window.idle("main.py")
    assert window.used("main.py").bind_ms == bound  # it was not done again
    assert window.store.encoded == encoded


def test_moving_to_another_call_keeps_what_is_bound_where_that_shows_it(window: Window):
    text = MAIN.replace("round", "disc") + "paint(\n"  # nothing of which is like other files
    window.show("main.py", text)
    window.ask("main.py", text.index("Circle(\n") + 7)
    window.idle("main.py")
    bound = window.used("main.py", text.index("Circle(\n") + 7).bind_ms
    window.ask("main.py", len(text) - 1)
    window.idle("main.py")
    assert window.used("main.py").bind_ms == bound


def test_a_file_outside_of_every_project_is_shown_nothing(window: Window, tmp_path: Path):
    key = FileKey(1, (tmp_path / "alone.py").as_uri())
    window.open[key] = File(key, "python", 1, FileText.of(MAIN))
    assert window.engine.prepare(key, lambda: False) is False
    assert window.store.encoded == 0


def test_the_file_used_last_is_looked_at_again_without_a_key(window: Window):
    for path, text in (("shapes.py", SHAPES), ("main.py", MAIN)):
        window.show(path, text)
    assert window.idle("main.py") is True  # opened last
    assert window.idle("shapes.py") is False
    window.ask("shapes.py")
    assert window.idle("main.py") is False
    assert window.idle("shapes.py") is True


def test_an_answer_says_whether_more_of_the_project_may_be_shown_in_a_moment(window: Window):
    window.show("main.py", MAIN)
    assert window.used("main.py").settled is False
    window.idle("main.py", after=3)
    assert window.used("main.py").settled is False
    window.project.growing = True
    window.idle("main.py")
    assert window.used("main.py").settled is False
    window.project.growing = False
    window.idle("main.py")
    assert window.used("main.py").settled is True


def test_an_answer_from_before_anything_was_chosen_for_its_place_may_be_asked_for_again(
    window: Window,
):
    window.show("main.py", MAIN)
    window.idle("main.py")  # nobody knows yet where the cursor is
    assert window.used("main.py").settled is False
    window.idle("main.py")
    assert window.used("main.py").settled is True


def test_what_was_encoded_is_forgotten_with_the_index_also_where_nothing_may_be_shown(
    window: Window,
):
    window.show("main.py", MAIN)
    window.idle("main.py")
    assert len(window.store) == 2
    window.show("main.py", MAIN, ProjectRules(is_read=False))
    window.project.forget()
    window.idle("main.py")
    assert len(window.store) == 0


def test_a_headless_question_leaves_the_project_alone(window: Window):
    """It has no idle time: its file is closed with the answer."""
    key = FileKey(1, f"{KEPT_SCHEME}{window.project.root / 'main.py'}")
    file = window.open[key] = File(key, "python", 1, FileText.of(MAIN))
    assert window.engine.prepare(key, lambda: False) is False
    request = CompletionRequest(key.uri, 1, len(MAIN) - 1, options=CompletionOptions(max_tokens=4))
    answer = window.engine.complete(file, job_for(request, key))[0]
    assert answer.meta.project is None
    assert window.store.encoded == 0


def test_an_open_file_that_is_not_in_the_index_is_shown_to_no_other(window: Window):
    """It may be ignored by git, or a link."""
    (window.project.root / "local.py").write_text("def secret(token: str): ...\n")
    window.show("local.py", "def secret(token: str): ...\n")
    text = "from local import secret\n\nfound = secret(\n"
    window.show("main.py", text)
    window.ask("main.py")
    window.idle("main.py")
    assert window.shown("main.py") == []


def test_what_was_encoded_is_forgotten_with_the_index(window: Window):
    window.show("main.py", MAIN)
    window.idle("main.py")
    assert len(window.store) == 2
    window.project.forget()
    window.idle("main.py")
    assert len(window.store) == 0
    window.project.write("shapes.py", SHAPES)
    window.idle("main.py")
    assert len(window.store) == 1


def test_it_is_forgotten_also_where_the_index_came_after_the_first_look(
    window: Window, tmp_path: Path
):
    place = window.project.index.place
    away = place.folder.rename(tmp_path / "away")
    window.show("main.py", MAIN)
    window.idle("main.py")
    assert len(window.store) == 0
    away.rename(place.folder)
    window.project.write("main.py", MAIN)
    window.idle("main.py")
    assert len(window.store) == 2
    window.project.forget()
    window.idle("main.py")
    assert len(window.store) == 0


def test_chunks_never_take_more_than_their_budget(tmp_path: Path):
    files = {"shapes.py": SHAPES, "paint.py": PAINT, "main.py": MAIN}
    window = Window(IndexedFolder(tmp_path / "project", tmp_path / "cache", files), tokens=60)
    window.show("main.py", MAIN)
    window.idle("main.py")
    use = window.ask("main.py").meta.project
    assert use is not None
    assert 0 < use.tokens <= 60
    window.engine.close()


def test_what_the_prompt_shows_anyway_is_not_shown_twice(window: Window):
    text = SHAPES + MAIN
    window.show("main.py", text)
    window.ask("main.py")
    window.idle("main.py")
    assert all("Circle" not in each for each in window.shown("main.py"))


def test_status_counts_chunks_and_forgetting_a_file_forgets_what_was_prepared(window: Window):
    window.show("main.py", MAIN)
    window.idle("main.py")
    status = window.engine.status()["project"]
    assert (status["chunks"], status["chunks_encoded"]) == (2, 2)
    assert status["chunk_bytes"] > 0
    window.engine.forget(window.key("main.py"))
    assert window.engine.status()["project"]["chunks"] == 2  # other files may want them


def test_a_document_whose_editor_keeps_the_project_from_us_loses_its_chunks_at_once(
    window: Window,
):
    window.show("main.py", MAIN)
    window.idle("main.py")
    assert window.shown("main.py")
    window.show("main.py", MAIN, ProjectRules(is_read=False))
    answer = window.ask("main.py")  # before any other moment of quiet
    assert answer.meta.project is None
    assert window.idle("main.py") is False
    assert window.ask("main.py").meta.project is None
    assert window.project.told is None  # nobody reads it
    window.show("main.py", MAIN)
    window.idle("main.py")
    assert len(window.shown("main.py")) == 2


def test_the_project_is_read_for_others_but_not_shown_to_who_does_not_want_it(window: Window):
    window.show("main.py", MAIN, ProjectRules(is_read=False, disabled_globs=("*.gen.py",)))
    window.show("main.py", MAIN, ProjectRules(disabled_globs=("*.key",)), client=2)
    window.idle("main.py")
    assert window.ask("main.py").meta.project is None
    assert window.project.told == ("*.gen.py", "*.key")
    assert window.store.encoded == 0
    del window.open[window.key("main.py", client=2)]
    window.idle("main.py")
    assert window.project.told is None


def test_an_open_file_whose_editor_keeps_the_project_from_us_is_shown_in_no_other(window: Window):
    window.show("main.py", MAIN)
    window.show("extra.py", "def extra(shape): ...\n", ProjectRules(is_read=False))
    window.show("main.py", MAIN.replace("paint", "extra"))
    window.idle("main.py")
    assert window.shown("main.py") == ["shapes.py:1 Circle"]


def test_nothing_is_shown_that_a_glob_of_any_editor_of_the_project_matches(window: Window):
    window.show("main.py", MAIN)
    window.ask("main.py")
    window.idle("main.py")
    assert window.shown("main.py") == ["shapes.py:1 Circle", "paint.py:1 paint"]
    window.show("other.py", "", ProjectRules(disabled_globs=("shapes.*",)), client=2)
    assert window.shown("main.py") == ["paint.py:1 paint"]  # the index still has it, perhaps
    window.idle("main.py")
    assert window.shown("main.py") == ["paint.py:1 paint"]
    assert window.project.told == ("shapes.*",)
    del window.open[window.key("other.py", client=2)]
    window.idle("main.py")
    assert window.shown("main.py") == ["shapes.py:1 Circle", "paint.py:1 paint"]


def test_what_was_prepared_for_a_file_is_not_shown_if_that_is_forbidden_meanwhile(window: Window):
    window.show("main.py", MAIN)
    window.idle("main.py")
    window.show("main.py", MAIN, ProjectRules(disabled_globs=("*/project/shapes.py",)))
    assert window.shown("main.py") == []  # nor what was encoded behind it
    window.idle("main.py")
    assert window.shown("main.py") == ["paint.py:1 paint"]


def test_the_globs_of_an_editor_count_in_its_own_projects_only(window: Window, tmp_path: Path):
    key = FileKey(2, (tmp_path / "elsewhere" / "a.py").as_uri())
    rules = ProjectRules(disabled_globs=("shapes.*",))
    window.open[key] = File(key, "python", 1, FileText.of(""), rules)
    window.show("main.py", MAIN)
    window.idle("main.py")
    assert window.project.told == ()
    assert len(window.shown("main.py")) == 2
