"""A grammar's C code may crash or hang: it costs one suggestion its grammar, and nothing else."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.models.grammar import isolate
from keyturn.models.grammar.followed import Followed
from keyturn.models.grammar.isolate import STRIKES, GrammarProcess, IsolatedState
from keyturn.models.grammar.languages import open_oracle
from support.corpus import sample


@pytest.fixture
def process() -> Iterator[GrammarProcess]:
    process = GrammarProcess()
    yield process
    process.close()


def worker_pid(process: GrammarProcess) -> int:
    assert process.pid is not None
    return process.pid


def test_an_isolated_oracle_answers_as_one_in_this_process_does(process: GrammarProcess):
    text = sample("python")
    far, near = process.oracle("a.py", "python"), open_oracle("python")
    for cut in (0, 17, len(text) // 2, len(text) // 3, len(text)):
        there, here = far.open(text[:cut]), near.open(text[:cut])
        assert (there.constrained, there.reason) == (here.constrained, here.reason)
        assert there.state.can_finish() == here.state.can_finish()
        for data in (text[cut : cut + 9].encode(), b"):", b"\xc3", b"\xff", b"x = 1\n"):
            one, other = there.state.feed(data), here.state.feed(data)
            assert (one is None) == (other is None)
        pieces = tuple(text[cut:].splitlines(keepends=True)[:5])
        assert there.state.reach(pieces, True) == here.state.reach(pieces, True)


def test_a_killed_worker_costs_its_states_and_the_next_opening_has_a_new_one(
    process: GrammarProcess,
):
    oracle = process.oracle("a.py", "python")
    state = oracle.open("x = (").state
    assert state.feed(b")") is not None
    assert state.feed(b"]") is None
    os.kill(worker_pid(process), signal.SIGSEGV)
    after = state.feed(b"]")
    assert after is not None
    assert "died" in getattr(after, "reason", "")
    assert state.can_finish()
    assert state.reach(("a", "b"), True) == 3
    again = oracle.open("x = (")
    assert again.constrained
    assert again.state.feed(b"]") is None
    assert state.feed(b"]") is not None  # a number of the old process means nothing to the new


def test_a_worker_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch):
    hang = "import time; time.sleep(600)"
    process = GrammarProcess((sys.executable, "-c", hang))
    monkeypatch.setattr(isolate, "OPEN_SECONDS", 0.2)
    opening = process.oracle("a.py", "python").open("x")
    assert not opening.constrained
    assert "did not answer within 0.2 s" in opening.reason
    assert process.pid is None


def worker_that(does: str) -> tuple[str, ...]:
    """The command of the real worker, which does that when it opens the text `bad`."""
    return (
        sys.executable,
        "-c",
        f"""
import ctypes, itertools
from keyturn.models.grammar import worker
def answer(self, request, really=worker.Worker.answer):
    if request[0] == "open" and request[-1] == "bad":
        {does}
    return really(self, request)
worker.Worker.answer = answer
worker.OPEN_CPU_SECONDS = 0.3
worker.main()
""",
    )


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("ctypes.string_at(0)", f"died with status {-signal.SIGSEGV}"),
        ("raise MemoryError", "died with status 1"),
        ("sum(itertools.repeat(0))", "computed for too long"),  # a loop in C
    ],
)
def test_a_language_that_keeps_failing_is_left_alone_for_a_while(does: str, said: str):
    now = 1000.0
    process = GrammarProcess(worker_that(does), clock=lambda: now)
    python, json = process.oracle("a.py", "python"), process.oracle("a.json", "json")
    for strike in range(1, STRIKES + 1):
        assert said in python.open("bad").reason
        assert python.open("good").constrained == (strike < STRIKES)
    assert python.open("good").reason == (
        f"the grammar of python failed {STRIKES} times: left alone for a while"
    )
    assert json.open("[").constrained
    now += isolate.REST_SECONDS
    assert python.open("good").constrained
    process.close()


def test_a_worker_that_the_machine_keeps_from_answering_is_no_failure_of_its_language(
    process: GrammarProcess, monkeypatch: pytest.MonkeyPatch
):
    oracle = process.oracle("a.py", "python")
    state = oracle.open("x = ").state
    for _ in range(STRIKES + 1):
        os.kill(worker_pid(process), signal.SIGSTOP)
        with monkeypatch.context() as impatient:
            impatient.setattr(isolate, "STEP_SECONDS", 0.1)
            impatient.setattr(isolate, "OPEN_SECONDS", 0.1)
            assert "did not answer" in getattr(state.feed(b"1"), "reason", "")
            process.start()
            os.kill(worker_pid(process), signal.SIGSTOP)
            assert "did not answer" in oracle.open("x").reason
        opening = oracle.open("x = ")
        assert opening.constrained
        state = opening.state


def test_a_worker_that_does_not_start_is_an_answer():
    process = GrammarProcess(("/nonexistent/python",))
    opening = process.oracle("a.py", "python").open("x")
    assert not opening.constrained
    assert "does not start" in opening.reason


def test_states_nobody_holds_are_dropped_in_the_worker_too(process: GrammarProcess):
    state = process.oracle("a.py", "python").open("x = ").state
    for _ in range(50):
        state.feed(b"1")
    assert len(process._released) <= 1
    assert isinstance(state, IsolatedState)


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_of_a_text_whose_edits_are_told_only_the_rest_is_sent(data):
    """The worker repeats what it has, so a wrong count of known characters shows."""
    process = echoing()
    texts = {Followed(): sample("python")[:60] for _ in range(2)}
    for _ in range(data.draw(st.integers(1, 12))):
        followed = data.draw(st.sampled_from(list(texts)))
        text = texts[followed]
        if data.draw(st.booleans()):
            start = data.draw(st.integers(0, len(text)))
            end = data.draw(st.integers(start, len(text)))
            texts[followed] = text[:start] + data.draw(st.text("ab\n", max_size=3)) + text[end:]
            followed.edited(start)
        elif data.draw(st.integers(0, 9)) == 9:
            process.close()  # a new worker knows nothing
        else:
            begin = data.draw(st.sampled_from([0, 0, 0, 5, len(text)]))
            stop = data.draw(st.integers(min(begin, len(text)), len(text)))
            left = text[begin:stop]
            opened = process.oracle("a.py", "python").begin(left, followed, begin)()
            assert opened.reason == left
    process.close()


def echoing() -> GrammarProcess:
    """One whose worker gives what it has of a file as the reason."""
    program = (
        "import sys\n"
        "from keyturn.models.grammar import worker\n"
        "from keyturn.models.grammar.oracle import Unavailable\n"
        "class Echo:\n"
        "    def open(self, left): return Unavailable(left).open(left)\n"
        "worker.open_oracle = lambda language, schema: Echo()\n"
        "worker.main()\n"
    )
    return GrammarProcess((sys.executable, "-c", program))


def test_many_files_are_kept_apart_beyond_what_the_worker_remembers(process: GrammarProcess):
    for round in range(2):
        for number in range(isolate.DOCUMENTS + 3):
            oracle = process.oracle(f"{number}.json", "json")
            opening = oracle.open('{"a": [' + "1," * number)
            assert opening.constrained, (round, number)
            assert opening.state.feed(b"}") is None


def test_a_lone_surrogate_reaches_the_worker(process: GrammarProcess):
    opening = process.oracle("a.py", "python").open("x = '\ud800'\n")
    assert opening.state.feed(b"y") is not None
