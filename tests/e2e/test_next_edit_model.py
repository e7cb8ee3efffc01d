"""The default model, as it is, in the format of a next-edit model."""

from pathlib import Path

import pytest

from keyturn.daemon.next_edit.proposal import Proposal
from keyturn.daemon.rewriting.rewriter import Rewriter
from keyturn.models.hub.download import ModelFiles
from keyturn.models.loading.loader import Loaded, load
from keyturn.models.prompts.next_edit.sweep import Sweep
from support.editors.editor import Editor, environment
from support.next_edit import GREETING, Edited
from support.until import until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def loaded(real_model: ModelFiles) -> Loaded:
    return load(real_model.name, "cpu")


def asked(rewriter: Rewriter, edited: Edited) -> list[Proposal]:
    hunks = list(edited.recent)
    return list(rewriter.proposals("greet.py", edited.text, hunks, hunks[0].stop, lambda: None))


def test_it_carries_a_rename_on_and_most_drafts_are_right(loaded: Loaded) -> None:
    rewriter = Rewriter(loaded, Sweep())
    edited = Edited(GREETING).replace("name", "person")
    found, *_ = asked(rewriter, edited)
    after = edited.text[: found.start] + found.new + edited.text[found.stop :]
    assert '{person}!"' in after
    assert after.count("name") < edited.text.count("name")
    assert (rewriter.status()["tokens_a_pass"] or 0) >= 3


def test_a_change_that_it_does_not_believe_in_is_not_proposed(loaded: Loaded) -> None:
    rewriter = Rewriter(loaded, Sweep(), lambda verdict: False)
    assert asked(rewriter, Edited(GREETING).replace("name", "person")) == []


def test_an_editor_is_shown_what_it_proposes_where_no_rule_knows_the_language(
    real_model: ModelFiles, tmp_path: Path
) -> None:
    environ = environment(
        tmp_path,
        KEYTURN_MODEL_NEXT_EDIT=real_model.name,
        KEYTURN_MODEL_NEXT_EDIT_FORMAT="sweep",
    )
    with Editor(environ, "--in-process", uri="file:///demo/greet.mojo") as editor:
        editor.open(GREETING, "mojo")
        start = GREETING.index("name")
        editor.replace(start, start + len("name"), "person")
        params = {
            "textDocument": {"uri": editor.uri},
            "position": editor.position(start + len("person")),
        }
        found = until(
            lambda: editor.call("keyturn/nextEdit", params)["result"]["edit"],
            "a proposal",
            every=0.5,
        )
        assert found["range"]["start"]["line"] == 7
        assert found["text"].startswith("person}!")
