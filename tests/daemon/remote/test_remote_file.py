"""A file here, and what the server is told of it: replayed there, it is the same text."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keyturn.api.chunk import Chunk
from keyturn.daemon.remote.messages import Changed, FileState, Whole, chunks_digest, digest_of
from keyturn.daemon.remote.remote_file import MOST_EDITS, MOST_TRIES, RemoteFile
from keyturn.lsp.backend import TextEdit


class Replica:
    """What a server keeps of a file; it may forget it."""

    def __init__(self) -> None:
        self.revision = 0
        self.text = ""

    def takes(self, state: FileState) -> bool:
        match state.change:
            case Whole(text):
                self.revision, self.text = state.revision, text
            case Changed(base, steps):
                if not base <= self.revision <= state.revision:
                    return False
                for step in steps:
                    if step.revision > self.revision:
                        for edit in step.edits:
                            self.text = edit.apply(self.text)
                self.revision = state.revision
        return digest_of(self.text) == state.digest


CHUNKS = (Chunk("b.py", 3, "b", "# b.py\ndef b(): ...\n\n"),)


def test_a_server_is_told_of_chunks_until_it_says_that_it_has_them() -> None:
    file = RemoteFile("a.py", "python", "")
    assert not file.lacks_chunks
    file.surrounded(CHUNKS)
    assert file.lacks_chunks
    assert file.state().chunks == chunks_digest(CHUNKS)
    assert file.surroundings().chunks == CHUNKS
    file.shows(chunks_digest(CHUNKS))
    assert not file.lacks_chunks
    file.shows("")  # another replica has the file by now
    assert file.lacks_chunks
    file.surrounded(())
    assert not file.lacks_chunks
    assert file.state().chunks == ""


def test_a_server_that_will_not_take_them_is_not_told_for_ever() -> None:
    file = RemoteFile("a.py", "python", "")
    file.surrounded(CHUNKS)
    for _ in range(MOST_TRIES):
        assert file.lacks_chunks
        file.surroundings()
        file.tried()
        file.shows("")
    assert not file.lacks_chunks


def test_what_is_taken_back_is_not_shown_until_the_server_has_what_comes_after() -> None:
    file = RemoteFile("a.py", "python", "")
    file.surrounded(CHUNKS)
    file.shows(chunks_digest(CHUNKS))
    others = (replace(CHUNKS[0], path="c.py"),)
    file.surrounded(())
    file.surrounded(others)
    assert file.state().chunks == ""
    file.shows("")
    assert file.state().chunks == ""
    file.shows(chunks_digest(others))
    assert file.state().chunks == chunks_digest(others)


def edited(file: RemoteFile, *edits: TextEdit) -> None:
    text = file.text
    for edit in edits:
        text = edit.apply(text)
    file.edited(edits, text)


actions = st.lists(
    st.tuples(st.sampled_from(["edit", "send", "late", "lose", "replace"]), st.integers(0, 99)),
    max_size=40,
)


@given(actions)
def test_whatever_is_lost_or_late_the_server_ends_with_the_same_text(
    actions: list[tuple[str, int]],
) -> None:
    file, replica = RemoteFile("a.py", "python", "one\n"), Replica()
    late: list[int] = []
    for action, number in actions:
        match action:
            case "edit":
                at = number % (len(file.text) + 1)
                edited(file, TextEdit(at, min(len(file.text), at + number % 3), str(number)))
            case "replace":
                file.replaced("python", f"text {number}")
            case "lose":
                replica = Replica()
                replica.revision = -1
            case "late" if late:
                file.confirmed(late.pop(0))
            case "send":
                state = file.state()
                if replica.takes(state):
                    late.append(state.revision)
                else:
                    file.forgotten()
    if not replica.takes(file.state()):
        file.forgotten()
    state = file.state()
    assert replica.takes(state)
    assert replica.text == file.text
    file.confirmed(state.revision)
    edited(file, TextEdit(0, 0, "x"))
    assert isinstance(file.state().change, Changed)
    assert replica.takes(file.state())


def test_what_is_typed_while_the_first_text_is_on_its_way_is_sent_as_edits() -> None:
    file = RemoteFile("a.py", "python", "one")
    first = file.state()
    edited(file, TextEdit(3, 3, "!"))
    file.confirmed(first.revision)
    assert isinstance(file.state().change, Changed)


def test_very_many_edits_are_sent_as_the_text() -> None:
    file = RemoteFile("a.py", "python", "")
    file.confirmed(file.state().revision)
    edited(file, *[TextEdit(0, 0, "x")] * MOST_EDITS)
    assert isinstance(file.state().change, Changed)
    edited(file, TextEdit(0, 0, "x"))
    assert isinstance(file.state().change, Whole)
