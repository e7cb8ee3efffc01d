"""What a model would change is proposed where no rule knows anything, if it does no harm."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from keyturn.daemon.file_text import FileText
from keyturn.daemon.next_edit.open_text import OpenText
from keyturn.daemon.next_edit.proposal import Proposal
from keyturn.daemon.next_edit.proposer import Proposer
from keyturn.daemon.next_edit.recent_edits import Hunk

TEXT = "number = 1\nprint(sum)\n"


class Says:
    """A model that proposes these changes whenever it is asked."""

    def __init__(self, *changes: tuple[str, str]) -> None:
        self._changes = changes
        self.asked = 0

    def proposals(
        self,
        path: str,
        text: str,
        hunks: Sequence[Hunk],
        cursor: int,
        pause: Callable[[], None],
    ) -> Iterable[Proposal]:
        self.asked += 1
        for old, new in self._changes:
            start = text.index(old)
            yield Proposal(start, start + len(old), old, new, "it says so")

    def status(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        pass


def found(
    model: Says, text: str = TEXT, said: str = "python", refused: tuple[Any, ...] = ()
) -> Proposal | None:
    proposer = Proposer()
    proposer.saw("a", text.replace("number = 1", "count = 1"), 0, len("count"), "number")
    file = OpenText("a", said, "/a.txt", FileText.of(text))
    return proposer.next_edit(file, 6, (), refused, lambda: None, model)


def test_a_model_is_asked_where_no_rule_finds_anything() -> None:
    model = Says(("sum", "total"))
    proposal = found(model)
    assert proposal is not None
    assert (proposal.old, proposal.new, model.asked) == ("sum", "total", 1)


def test_it_is_not_asked_where_one_does_nor_where_nothing_has_changed() -> None:
    model = Says(("sum", "total"))
    proposal = found(model, "number = 1\nprint(count)\n")
    assert proposal is not None
    assert (proposal.old, model.asked) == ("count", 0)
    file = OpenText("a", "python", "/a.py", FileText.of(TEXT))
    assert Proposer().next_edit(file, 6, (), (), lambda: None, model) is None
    assert model.asked == 0


def test_what_was_refused_or_would_break_the_program_is_passed_over() -> None:
    model = Says(("sum", "total"), ("(sum)", "(sum"), ("1", "2"))
    proposal = found(model, refused=(("it says so", "sum", "total"),))
    assert proposal is not None
    assert proposal.new == "2"
    assert found(Says(("(sum)", "(sum"))) is None


@pytest.mark.parametrize("said", ["plaintext", "julia"])
def test_a_language_that_nobody_reads_may_be_anything(said: str) -> None:
    proposal = found(Says(("(sum)", "(sum")), said=said)
    assert proposal is not None


def test_its_lines_end_as_the_files_do() -> None:
    text = TEXT.replace("\n", "\r\n")
    proposer = Proposer()
    proposer.saw("a", TEXT.replace("number", "count"), 0, len("count"), "number")
    file = OpenText("a", "python", "/a.py", FileText.of("\ufeff" + text))
    model = Says(("print(sum)\n", "print(total)\nprint(sum)\n"))
    proposal = proposer.next_edit(file, 7, (), (), lambda: None, model)
    assert proposal is not None
    assert proposal.new == "print(total)\r\nprint(sum)\r\n"
    assert file.text.raw[proposal.start : proposal.stop] == proposal.old == "print(sum)\r\n"
