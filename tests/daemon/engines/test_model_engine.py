"""The service's engine: one session for each file, within one budget."""

import dataclasses
import weakref

import pytest

from keyturn.api.uris import path_of
from keyturn.cache.budget import Budget
from keyturn.cache.errors import OverBudget
from keyturn.daemon.completion.completer import CompleterOptions
from keyturn.daemon.completion.idle_refresh import IdleWork, Refresher
from keyturn.daemon.config import ModelChoice
from keyturn.daemon.engines.make_engine import budget
from keyturn.daemon.engines.model_engine import ModelEngine
from keyturn.daemon.file_text import FileText
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.jobs import FileKey
from keyturn.models.nn.linear import LateLinear
from support.daemon.model_engines import ask, bytes_per_token, model_engine, tiny_loaded
from support.models.tiny_tokenizer import PAGE


def test_files_give_way_in_the_order_of_their_use_and_all_are_answered() -> None:
    made = model_engine(2)
    for name in "abcab":
        ask(made, name, PAGE * 4, 300)
    status = made.status()
    assert status["evicted_files"] >= 2
    assert status["cache_bytes"] <= status["cache_most_bytes"]
    assert len(status["files"]) == 3


def test_what_speculation_did_is_in_the_status_and_the_answer() -> None:
    made = model_engine(2)
    ask(made, "a", PAGE * 4, 300)
    [answer, *_] = ask(made, "b", PAGE * 4, 300)
    assert answer.meta.speculation.passes > 0
    arms = made.status()["speculation"]
    assert sum(arm["rounds"] for arm in arms.values()) >= answer.meta.speculation.passes
    assert all(arm["gain"] > 0 for arm in arms.values())


def test_kernels_that_were_quick_to_make_are_shown_until_idle_time_replaces_them() -> None:
    loaded = tiny_loaded.__wrapped__()
    layers = loaded.model.layers
    layers[0] = dataclasses.replace(layers[0], up=LateLinear(layers[0].up, lambda: layers[1].up))
    refresher = Refresher(IdleWork.FULL, lambda: False)
    made = ModelEngine(loaded, CompleterOptions(), path_of, Budget(1 << 30), refresher)
    file = File(FileKey(1, "file:///a.py"), "python", 1, FileText.of(""))
    assert made.status()["kernels_to_pack"] == 1
    made.refresh(file.key, lambda: True)
    assert made.status()["kernels_to_pack"] == 1
    made.refresh(file.key, lambda: False)
    assert made.status()["kernels_to_pack"] == 0


def test_a_budget_too_small_for_one_file_is_an_error_that_says_so() -> None:
    with pytest.raises(OverBudget, match=r"raise model\.cache_mib"):
        ask(model_engine(0.5), "a", PAGE, 300)


def test_idle_time_makes_a_file_exact_and_stops_when_interrupted() -> None:
    made = model_engine(2)
    ask(made, "a", PAGE, 400)
    ask(made, "a", "import re\n" + PAGE, 410)
    file = File(FileKey(1, "file:///a.py"), "python", 1, FileText.of(""))
    assert made.status()["files"][0]["stale_share"] > 0
    made.refresh(file.key, lambda: True)
    assert made.status()["files"][0]["stale_share"] > 0
    made.refresh(file.key, lambda: False)
    assert made.status()["files"][0]["stale_share"] == 0


def test_a_closed_file_gives_everything_back() -> None:
    made = model_engine(2)
    ask(made, "a", PAGE, 300)
    made.forget(FileKey(1, "file:///a.py"))
    assert made.status()["cache_bytes"] == 0
    assert made.status()["files"] == []


def test_a_configured_folder_takes_what_gave_way(tmp_path) -> None:
    choice = ModelChoice(cache_mib=1, spill_folder=str(tmp_path / "spill"))
    made = budget(choice, tiny_loaded())
    model = ModelEngine(
        tiny_loaded(), CompleterOptions(context_tokens=512), path_of, made, Refresher(IdleWork.OFF)
    )
    files = 2 + made.most_bytes // (512 * bytes_per_token())
    for number in range(files):
        ask(model, str(number), PAGE * 4, 300)
    assert list((tmp_path / "spill").glob("*.safetensors"))


def test_files_give_way_when_other_programs_need_the_memory() -> None:
    allowed = [6 * 512 * bytes_per_token()]
    made = ModelEngine(
        tiny_loaded(),
        CompleterOptions(context_tokens=512),
        path_of,
        Budget(allowed[0]),
        Refresher(IdleWork.OFF),
        lambda held: allowed[0],
    )
    for name in "abc":
        ask(made, name, PAGE * 4, 300)
    assert made.status()["evicted_files"] == 0
    allowed[0] = 512 * bytes_per_token()
    ask(made, "c", PAGE * 4, 310)
    assert made.status()["evicted_files"] == 2
    assert made.status()["cache_bytes"] <= made.status()["cache_most_bytes"] == allowed[0]


def test_a_budget_is_what_was_set_or_else_found() -> None:
    assert budget(ModelChoice(cache_mib=3), tiny_loaded()).most_bytes == 3 * 2**20
    assert budget(ModelChoice(), tiny_loaded()).most_bytes == 1024 * 2**20


def test_the_status_says_what_attends() -> None:
    assert model_engine(1).status()["attention"] == "torch"


def test_closing_lets_go_of_the_model() -> None:
    loaded = tiny_loaded.__wrapped__()  # one that no cache holds
    gone = weakref.ref(loaded.model)
    made = ModelEngine(loaded, CompleterOptions(), path_of, Budget(2**30), Refresher(IdleWork.OFF))
    ask(made, "a", PAGE, 300)
    del loaded
    assert gone() is not None
    made.close()
    assert gone() is None
