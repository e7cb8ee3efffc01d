"""Files that `keyturn complete` names: one session each, whoever asks, within the budget."""

import pytest

from keyturn.api.report import Completion
from keyturn.api.request import CompletionOptions, CompletionRequest, GrammarMode
from keyturn.api.uris import HEADLESS_SCHEME, KEPT_SCHEME, path_of
from keyturn.cache.budget import Budget
from keyturn.cache.plan import Repair
from keyturn.daemon.completion.completer import Completer, CompleterOptions
from keyturn.daemon.completion.idle_refresh import IdleWork, Refresher
from keyturn.daemon.engines import sessions
from keyturn.daemon.engines.model_engine import ModelEngine
from keyturn.daemon.file_text import FileText
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.jobs import FileKey
from support.daemon.model_engines import tiny_loaded
from support.daemon.small_engine import job_for
from support.models.tiny_tokenizer import PAGE

PER_TOKEN = tiny_loaded().model.new_arena(0).bytes_per_row
TOKENS = 512


def engine(files: float) -> ModelEngine:
    """With a budget for so many files of a whole context."""
    options = CompleterOptions(context_tokens=TOKENS, repair=Repair(exact=0))
    most = Budget(int(files * TOKENS * PER_TOKEN))
    refresher = Refresher(IdleWork.FULL, lambda: False)
    return ModelEngine(tiny_loaded(), options, path_of, most, refresher)


def ask(made: ModelEngine, client: int, uri: str, text: str, at: int = 300) -> Completion:
    """What one client does: it comes, asks and goes."""
    file = File(FileKey(client, uri), "", 1, FileText.of(text))
    options = CompletionOptions(max_tokens=4, grammar=GrammarMode.OFF)
    request = CompletionRequest(uri, 1, at, options=options)
    found = made.complete(file, job_for(request, file.key))
    made.forget(file.key)
    return found[0]


def kept(made: ModelEngine) -> list[str]:
    return [each["uri"] for each in made.status()["files"]]


def test_another_client_s_question_about_the_same_file_reuses_what_was_read() -> None:
    made, uri = engine(2), KEPT_SCHEME + "/a.py"
    first, second = ask(made, 1, uri, PAGE), ask(made, 2, uri, PAGE)
    assert first.meta.reused_tokens == 0
    assert second.meta.reused_tokens == second.meta.prompt_tokens - 1
    assert second.meta.cache is not None
    assert second.meta.cache.encoded == 1
    assert second.text == first.text


def test_after_an_edit_only_the_difference_is_read_and_idle_time_makes_it_exact() -> None:
    made, uri = engine(2), KEPT_SCHEME + "/a.py"
    ask(made, 1, uri, PAGE)
    edited = ask(made, 2, uri, "import re\n" + PAGE, 310)
    assert edited.meta.reused_tokens > edited.meta.prompt_tokens // 2
    assert made.status()["files"][0]["stale_share"] > 0
    made.refresh(FileKey(2, uri), lambda: False)  # that client has gone
    assert made.status()["files"][0]["stale_share"] == 0


@pytest.mark.parametrize("uri", [HEADLESS_SCHEME + "a.py", "file:///a.py"])
def test_nothing_else_outlives_its_client(uri: str) -> None:
    made = engine(2)
    assert [ask(made, client, uri, PAGE).meta.reused_tokens for client in (1, 2)] == [0, 0]
    assert kept(made) == []
    assert made.status()["cache_bytes"] == 0


def test_the_file_asked_about_longest_ago_is_forgotten_for_want_of_room() -> None:
    made = engine(2)
    uris = [KEPT_SCHEME + f"/{name}.py" for name in "abc"]
    for uri in (uris[0], uris[1], uris[0], uris[2]):
        ask(made, 1, uri, PAGE * 4)
    assert kept(made) == [uris[0], uris[2]]
    assert made.status()["cache_bytes"] <= made.status()["cache_most_bytes"]


def test_their_texts_have_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "KEPT_CHARACTERS", 3 * len(PAGE))
    made = engine(100)
    for number in range(10):
        ask(made, 1, KEPT_SCHEME + f"/{number}.py", PAGE)
    assert kept(made) == [KEPT_SCHEME + f"/{number}.py" for number in (6, 7, 8, 9)]  # and the last
    for name, text in (("big", PAGE * 4), ("small", PAGE)):
        assert ask(made, 1, KEPT_SCHEME + f"/{name}.py", text).meta.prompt_tokens > 0
    assert kept(made) == [KEPT_SCHEME + "/small.py"]


def test_files_of_the_same_window_are_looked_up_last_used_last_and_others_are_not() -> None:
    completer = Completer(tiny_loaded(), CompleterOptions(context_tokens=TOKENS))
    held = sessions.Sessions(completer.new_session, Budget(8 * TOKENS * PER_TOKEN), TOKENS)
    found = []
    for client, name in ((1, "a"), (2, "b"), (1, "c"), (1, "d"), (1, "a")):
        key = FileKey(client, f"file:///{name}.py")
        held.use(key).show(f"x = '{name}'\n")
        found.append([completer.loaded.tokenizer.decode(t) for t in held.others(key)])
    c, d = "x = 'c'\n", "x = 'd'\n"
    a = "x = 'a'\n"
    assert found == [[], [], [a], [a, c], [c, d]]
