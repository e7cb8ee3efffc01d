"""Which job comes next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.api.request import CompletionRequest, Trigger
from keyturn.daemon.server.jobs import (
    Close,
    Complete,
    Edit,
    FileKey,
    Job,
    NextEdit,
    Open,
    Prepare,
    Refresh,
    Surround,
)
from keyturn.daemon.server.scheduler import QUIET_SECONDS, Scheduler
from keyturn.lsp.backend import NextEditQuery, TextEdit

A, B, C = (FileKey(1, name) for name in "abc")


def complete(file: FileKey, version: int = 1) -> Complete:
    return Complete(file, CompletionRequest(file.uri, version, 0), 0.0, lambda outcome: None)


def drain(scheduler: Scheduler) -> list[Job]:
    jobs: list[Job] = []
    while (job := scheduler.take()) is not None:
        jobs.append(job)
    return jobs


def test_changes_go_before_completions_and_keep_their_order():
    scheduler = Scheduler()
    first, asked, close = Open(A, "", 1, ""), complete(B), Close(A)
    for job in (asked, first, close):
        scheduler.put(job)
    assert drain(scheduler) == [first, close, asked]


def test_the_newest_completion_of_a_file_wins_and_the_older_one_is_given_back():
    scheduler = Scheduler()
    older, newer = complete(A), complete(A)
    assert scheduler.put(older) == []
    assert scheduler.put(newer) == [older]
    assert older.cancelled.is_set()
    assert not newer.cancelled.is_set()
    assert drain(scheduler) == [newer]


def test_a_running_completion_is_told_to_stop_by_a_newer_one():
    scheduler = Scheduler()
    older, newer = complete(A), complete(A)
    scheduler.put(older)
    assert scheduler.take() is older
    assert scheduler.put(newer) == [older]
    assert older.cancelled.is_set()
    assert scheduler.put(complete(B)) == []


def by_hand(offset: int = 0, version: int = 1, trigger: Trigger = Trigger.INVOKED) -> Complete:
    return Complete(A, CompletionRequest("a", version, offset, trigger), 0.0, lambda outcome: None)


@pytest.mark.parametrize("running", [False, True])
def test_an_automatic_request_gives_way_to_what_the_user_asked_for_at_its_place(running: bool):
    scheduler = Scheduler()
    asked = by_hand()
    scheduler.put(asked)
    if running:
        assert scheduler.take() is asked
    for automatic in (complete(A), by_hand(trigger=Trigger.PREFETCH)):
        assert scheduler.put(automatic) == [automatic]
        assert automatic.cancelled.is_set()
    assert not asked.cancelled.is_set()
    assert drain(scheduler) == ([] if running else [asked])


@pytest.mark.parametrize(("offset", "version"), [(1, 1), (0, 0)])
@pytest.mark.parametrize("trigger", Trigger)
def test_what_the_user_asked_for_elsewhere_or_before_is_superseded(
    offset: int, version: int, trigger: Trigger
):
    scheduler, older, newer = Scheduler(), by_hand(offset, version), by_hand(trigger=trigger)
    scheduler.put(older)
    assert scheduler.put(newer) == [older]
    assert scheduler.put(again := by_hand()) == [newer]  # by hand, the newest counts
    assert drain(scheduler) == [again]


def test_files_take_turns():
    scheduler = Scheduler()
    for file in (A, B, C):
        scheduler.put(complete(file))
    served = []
    for _ in range(6):
        job = scheduler.take()
        assert isinstance(job, Complete)
        served.append(job.file)
        scheduler.running = None  # it is done, and asks again at once
        scheduler.put(complete(job.file))
    assert served == [A, B, C, A, B, C]


def test_an_eager_file_keeps_its_place_but_gains_none():
    scheduler = Scheduler()
    for file in (A, B, A, A):
        scheduler.put(complete(file))
    assert [job.file for job in drain(scheduler) if isinstance(job, Complete)] == [A, B]


def test_an_edit_cancels_only_what_it_makes_stale():
    scheduler = Scheduler()
    stale, other, fresh = complete(A, 1), complete(B, 1), complete(C, 2)
    for job in (stale, other, fresh):
        scheduler.put(job)
    assert scheduler.put(Edit(A, 2, ())) == [stale]
    assert scheduler.put(Edit(C, 2, ())) == []
    assert [job for job in drain(scheduler) if isinstance(job, Complete)] == [other, fresh]


def test_edits_of_one_file_that_wait_together_become_one_job():
    scheduler = Scheduler()
    for version in range(2, 1_000):
        scheduler.put(Edit(A, version, (TextEdit(0, 0, "x"),)))
    assert len(scheduler) == 1
    [edit] = drain(scheduler)
    assert isinstance(edit, Edit)
    assert (edit.version, len(edit.edits)) == (999, 998)


def test_closing_cancels_what_was_asked():
    scheduler = Scheduler()
    asked = complete(A)
    scheduler.put(asked)
    assert scheduler.put(Close(A)) == [asked]


def look(file: FileKey, version: int = 1) -> NextEdit:
    return NextEdit(file, NextEditQuery(file.uri, version, 0), lambda found: None)


def test_a_look_for_a_next_edit_comes_after_completions_and_is_given_up_for_an_edit_or_another():
    scheduler = Scheduler()
    stale, old, new = look(A, 1), look(B, 1), look(B, 1)
    assert [scheduler.put(job) for job in (stale, old)] == [[], []]
    assert scheduler.put(new) == [old]
    assert not scheduler.put_back(look(B, 1))  # it was interrupted, and a newer one waits
    asked = complete(C)
    assert scheduler.put(asked) == []
    assert scheduler.put(Edit(A, 2, ())) == [stale]
    scheduler.put(Refresh(A))
    assert drain(scheduler) == [Edit(A, 2, ()), asked, new, Refresh(A)]
    assert scheduler.put_back(new)
    assert drain(scheduler) == [new]


def test_refreshing_waits_until_there_is_nothing_else():
    scheduler = Scheduler()
    scheduler.put(Refresh(A))
    scheduler.put(Refresh(A))
    assert len(scheduler) == 0
    asked = complete(B)
    scheduler.put(asked)
    assert drain(scheduler) == [asked, Refresh(A)]


def test_a_file_is_prepared_when_nothing_has_happened_for_a_moment():
    now = [10.0]
    scheduler = Scheduler(lambda: now[0])
    assert scheduler.wait_seconds() is None
    scheduler.put(Open(A, "", 1, ""))
    scheduler.put(complete(B))
    assert [type(job) for job in drain(scheduler)] == [Open, Complete]
    now[0] += QUIET_SECONDS / 2
    assert scheduler.wait_seconds() == pytest.approx(QUIET_SECONDS / 2)
    scheduler.put(Edit(A, 2, ()))  # a key: the moment begins again
    scheduler.put(Refresh(A))
    now[0] += QUIET_SECONDS * 0.9
    assert [type(job) for job in drain(scheduler)] == [Edit, Refresh]
    now[0] += QUIET_SECONDS
    assert scheduler.wait_seconds() == 0
    assert {*drain(scheduler)} == {Prepare(A), Prepare(B)}
    assert scheduler.wait_seconds() is None


def test_what_is_to_be_prepared_again_waits_for_its_time_and_not_longer_than_the_file_is_open():
    now = [10.0]
    scheduler = Scheduler(lambda: now[0])
    scheduler.put(Prepare(A, after_seconds=3.0))
    scheduler.put(Prepare(B, after_seconds=1.0))
    assert len(scheduler) == 0
    assert scheduler.wait_seconds() == 1.0
    now[0] += 2.0
    assert drain(scheduler) == [Prepare(B)]
    scheduler.put(Close(A))
    drain(scheduler)
    now[0] += 2.0
    assert drain(scheduler) == []


def test_a_key_makes_a_file_due_at_once_also_where_it_was_to_be_looked_at_later():
    now = [10.0]
    scheduler = Scheduler(lambda: now[0])
    scheduler.put(Edit(A, 2, ()))  # interrupts what is being prepared, which is put back for later
    scheduler.put(Prepare(A, after_seconds=30.0))
    now[0] += QUIET_SECONDS
    assert [type(job) for job in drain(scheduler)] == [Edit, Prepare]


def test_one_users_typing_keeps_nothing_from_being_prepared_for_another():
    now = [10.0]
    scheduler = Scheduler(lambda: now[0])
    ann, bob = FileKey(1, "a", user=1), FileKey(2, "a", user=2)
    scheduler.put(Open(ann, "", 1, ""))
    now[0] += QUIET_SECONDS
    scheduler.put(Edit(bob, 2, ()))
    assert [type(job) for job in drain(scheduler)] == [Open, Edit, Prepare]
    scheduler.put(Surround(ann, ()))
    assert drain(scheduler) == [Surround(ann, ()), Prepare(ann)]


def test_a_withdrawn_completion_is_not_run():
    scheduler = Scheduler()
    waiting, running = complete(A), complete(B)
    scheduler.put(running)
    assert scheduler.take() is running
    scheduler.put(waiting)
    assert scheduler.withdraw(waiting)
    assert not scheduler.withdraw(running)  # it is told to stop, and answers itself
    assert running.cancelled.is_set()
    assert scheduler.take() is None


files = st.sampled_from([A, B, C])
actions = st.lists(st.tuples(st.sampled_from(["open", "edit", "close", "ask", "take"]), files))


@given(actions)
def test_every_completion_is_run_or_given_back_exactly_once(actions: list[tuple[str, FileKey]]):
    scheduler = Scheduler()
    asked: list[Complete] = []
    given_back: list[Complete | NextEdit] = []
    run: list[Complete] = []
    versions = dict.fromkeys((A, B, C), 1)
    for action, file in actions:
        if action == "take":
            job = scheduler.take()
            if isinstance(job, Complete):
                run.append(job)
            continue
        if action == "ask":
            asked.append(complete(file, versions[file]))
            given_back += scheduler.put(asked[-1])
            continue
        versions[file] += 1
        change: Job = Close(file)
        if action == "open":
            change = Open(file, "", versions[file], "")
        elif action == "edit":
            change = Edit(file, versions[file], ())
        given_back += scheduler.put(change)
    run += [job for job in drain(scheduler) if isinstance(job, Complete)]
    stopped = [job for job in run if job in given_back]
    assert all(isinstance(job, Complete) and job.cancelled.is_set() for job in given_back)
    assert len(given_back) == len(set(map(id, given_back)))
    assert len(run) + len(given_back) - len(stopped) == len(asked)
