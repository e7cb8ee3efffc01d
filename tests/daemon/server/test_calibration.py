"""What becomes of suggestions teaches how far their confidence can be trusted, and no more."""

import logging
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.api.confidence import Confidence
from keyturn.api.report import Completion
from keyturn.daemon.server.calibration import (
    MOST_KEPT,
    Calibration,
    Received,
    correction_for,
)
from keyturn.lsp.backend import Feedback, Outcome

URI = "file:///secret.py"


def seen(calibration: Calibration, likely: float, right: bool, times: int = 1) -> None:
    for _ in range(times):
        outcome = Outcome.ACCEPTED if right else Outcome.REJECTED
        calibration.saw(Feedback(URI, outcome, 3, True, likely, right))


def test_without_feedback_nothing_is_corrected() -> None:
    assert Calibration().correction.of(0.4) == pytest.approx(0.4)


def test_somebody_who_takes_more_than_was_expected_is_offered_more() -> None:
    calibration = Calibration()
    seen(calibration, 0.3, True, 200)
    assert calibration.correction.of(0.3) > 0.5


def test_somebody_who_rejects_what_was_thought_likely_is_offered_less() -> None:
    calibration = Calibration()
    seen(calibration, 0.7, False, 200)
    assert calibration.correction.of(0.7) < 0.5


def test_a_few_outcomes_hardly_count() -> None:
    calibration = Calibration()
    seen(calibration, 0.5, False, 2)
    assert 0.45 < calibration.correction.of(0.5) < 0.5


def test_one_line_that_nobody_had_expected_is_not_the_measure_of_all() -> None:
    calibration = Calibration()
    seen(calibration, 0.0004, True)
    seen(calibration, 0.0115, False)
    for likely in (0.04, 0.2, 0.5, 0.9):
        assert calibration.correction.of(likely) == pytest.approx(likely, abs=0.02)


def test_where_estimates_come_true_they_stay_as_they_are() -> None:
    received = [Received(n / 10, k < n) for n in range(1, 10) for k in range(10)] * 5
    correction = correction_for(received)
    assert all(abs(correction.of(p / 10) - p / 10) < 0.01 for p in range(1, 10))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60))
def test_whatever_happens_the_correction_stays_within_its_bounds(pairs) -> None:
    correction = correction_for([Received(*pair) for pair in pairs])
    assert 0.5 <= correction.slope <= 2.0
    assert -1.5 <= correction.shift <= 1.5


def test_what_is_not_known_teaches_nothing() -> None:
    calibration = Calibration()
    calibration.saw(Feedback(URI, Outcome.PARTIAL, 3, True, 0.5, None))
    calibration.saw(Feedback(URI, Outcome.ACCEPTED, 3))
    assert calibration.summary()["suggestions"] == 0


def test_completions_are_given_the_correction_of_the_moment() -> None:
    calibration = Calibration()
    seen(calibration, 0.3, True, 200)
    known = Completion("x", 0, 0, confidence=Confidence((0,), (0.3,)))
    judged, unknown = calibration.judged([known, Completion("y", 0, 0)])
    assert judged.confidence is not None
    assert judged.confidence.first_line("x") == pytest.approx(calibration.correction.of(0.3))
    assert unknown.confidence is None


def test_it_is_known_again_after_a_restart_and_holds_no_text(tmp_path: Path) -> None:
    path = tmp_path / "state" / "feedback.txt"
    before = Calibration(path)
    seen(before, 0.25, True, 30)
    seen(before, 0.75, False, 10)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(path.read_text().split()) == {"0.2500", "0.7500", "0", "1"}
    after = Calibration(path)
    assert after.summary() == before.summary()


def test_only_the_newest_are_kept_and_the_file_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "feedback.txt"
    calibration = Calibration(path)
    seen(calibration, 0.5, False, MOST_KEPT)
    seen(calibration, 0.5, True, MOST_KEPT + 5)
    assert calibration.summary()["right"] == MOST_KEPT
    assert len(path.read_text().splitlines()) <= 2 * MOST_KEPT
    assert Calibration(path).summary() == calibration.summary()


def test_when_the_file_is_removed_all_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "feedback.txt"
    calibration = Calibration(path)
    seen(calibration, 0.5, False, 50)
    path.unlink()
    seen(calibration, 0.5, True)
    assert calibration.summary()["suggestions"] == 1
    assert Calibration(path).summary()["suggestions"] == 1


def test_a_damaged_file_is_read_as_far_as_it_says_anything(tmp_path: Path) -> None:
    path = tmp_path / "feedback.txt"
    path.write_bytes(b"0.5 1\nnan 1\n7 1\n0.5 2\n\xff\xfe\n\n0.25 0\n0.5")
    assert Calibration(path).summary()["suggestions"] == 2


def test_where_nothing_can_be_written_it_still_learns_and_says_so(tmp_path: Path, caplog) -> None:
    (tmp_path / "taken").write_text("")
    calibration = Calibration(tmp_path / "taken" / "feedback.txt")
    with caplog.at_level(logging.WARNING):
        seen(calibration, 0.5, True)
    assert calibration.summary()["suggestions"] == 1
    assert "not kept" in caplog.text


def test_what_is_learnt_is_kept_from_when_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "feedback.txt"
    calibration = Calibration(path, keep=False)
    seen(calibration, 0.5, True)
    calibration.keep(False)
    assert calibration.summary()["suggestions"] == 1  # for as long as it runs
    assert not path.exists()
    calibration.keep(True)
    seen(calibration, 0.5, True)
    assert Calibration(path).summary()["suggestions"] == 1
    calibration.keep(False)
    assert calibration.summary()["suggestions"] == 0
    assert path.exists()


def test_what_is_removed_counts_no_more_in_a_daemon_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "feedback.txt"
    calibration = Calibration(path)
    seen(calibration, 0.5, True, 50)
    completion = Completion("x", 0, 0, confidence=Confidence((0,), (0.3,)))
    (learnt,) = calibration.judged([completion])
    path.unlink()
    (judged,) = calibration.judged([completion])
    assert learnt.confidence is not None
    assert judged.confidence is not None
    assert learnt.confidence.first_line("x") > judged.confidence.first_line("x")
    assert judged.confidence.first_line("x") == pytest.approx(0.3)


def test_what_is_no_file_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "feedback.txt"
    os.mkfifo(path)
    calibration = Calibration(path)  # and does not wait for a writer
    seen(calibration, 0.5, True)
    assert calibration.summary()["suggestions"] == 1
    assert "not a regular file" in caplog.text


def test_a_file_that_grew_in_many_short_lives_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "feedback.txt"
    for _ in range(4):
        seen(Calibration(path), 0.5, True, 900)
    assert len(path.read_text().splitlines()) <= 2 * MOST_KEPT
    path.write_text("0.2000 0\n" * 100_000 + "0.9000 1\n")
    calibration = Calibration(path)
    assert calibration.summary()["suggestions"] == MOST_KEPT
    assert calibration.summary()["right"] == 1
    seen(calibration, 0.5, True)
    assert len(path.read_text().splitlines()) == MOST_KEPT


def test_a_line_without_an_end_takes_none_with_it(tmp_path: Path) -> None:
    path = tmp_path / "feedback.txt"
    path.write_text("0.2000 0\n0.4000 1")
    seen(Calibration(path), 0.5, True)
    assert path.read_text() == "0.2000 0\n0.4000 1\n0.5000 1\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_nobody_may_enter_makes_nothing_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    calibration = Calibration(folder / "feedback.txt")
    seen(calibration, 0.5, True, 3)
    folder.chmod(0o600)
    try:
        seen(calibration, 0.5, True)
        assert calibration.summary()["suggestions"] == 4
    finally:
        folder.chmod(0o700)
