"""The next-edit model that is configured is there when it is needed, and not before."""

from pathlib import Path

import pytest

from keyturn.cache.errors import InputError
from keyturn.daemon.config import ModelChoice
from keyturn.daemon.engines.make_engine import engine_maker
from keyturn.daemon.next_edit.model import NextEditModel
from keyturn.daemon.rewriting.system_message import system_message
from keyturn.daemon.server.engine import Engine
from keyturn.lsp.options import Options
from support.next_edit import Edited
from support.until import until


def engine(choice: ModelChoice) -> Engine:
    make = engine_maker(lambda: choice, lambda path: (Options(), ()))
    return make("", lambda state: None, tuple)


def model_of(made: Engine) -> NextEditModel:
    assert made.next_edit_model is not None
    return made.next_edit_model


def ask(model: NextEditModel) -> None:
    edited = Edited("a = 1\nb = a\n").replace("a", "c")
    list(model.proposals("a.py", edited.text, list(edited.recent), 1, lambda: None))


def test_without_one_there_is_none(tiny_folder: Path) -> None:
    made = engine(ModelChoice("lookup"))
    assert made.next_edit_model is None
    made.close()


def test_one_of_its_own_is_loaded_when_it_is_first_asked(tiny_folder: Path) -> None:
    made = engine(ModelChoice("lookup", next_edit=str(tiny_folder), next_edit_format="sweep"))
    model = model_of(made)
    state = {"state": "not loaded until it is needed", "problem": ""}
    assert model.status() == {"model": str(tiny_folder), **state}
    ask(model)
    until(lambda: "format" in model.status(), "a loaded model")
    ask(model)
    assert model.status()["asked"] == 1
    model.close()
    made.close()


def test_the_engines_own_is_there_at_once(tiny_folder: Path) -> None:
    choice = ModelChoice(
        str(tiny_folder), device="cpu", next_edit=str(tiny_folder), next_edit_format="sweep"
    )
    made = engine(choice)
    model = model_of(made)
    ask(model)
    assert model.status()["asked"] == 1
    model.close()
    made.close()


@pytest.mark.parametrize(
    ("name", "said"),
    [("tiny_folder", "next_edit_format"), ("nobody/sweep-next-edit", "nobody/sweep-next-edit"),
     ("what is this", "unknown model")],
)  # fmt: skip
def test_what_cannot_be_loaded_is_said_and_completions_go_on(
    name: str, said: str, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    given = "sweep" if name == "what is this" else "auto"
    name = str(tiny_folder) if name == "tiny_folder" else name
    made = engine(ModelChoice("lookup", next_edit=name, next_edit_format=given))
    model = model_of(made)
    ask(model)
    until(lambda: said in str(model.status()["problem"]), lambda: model.status())
    model.close()
    made.close()


def test_a_system_message_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "system.txt").write_text("You predict edits.\n", encoding="utf-8")
    assert system_message("") == ""
    assert system_message(str(tmp_path / "system.txt")) == "You predict edits."
    with pytest.raises(InputError, match="is not there"):
        system_message(str(tmp_path / "none.txt"))
    with pytest.raises(InputError, match="no regular file"):
        system_message(str(tmp_path))
