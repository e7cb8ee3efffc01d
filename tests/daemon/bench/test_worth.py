"""`keyturn bench worth` judges suggestions as it says; the figures are not judged."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from keyturn.api.confidence import Confidence
from keyturn.daemon.bench._worth.asked import Answer, Asked, Asker, best_of
from keyturn.daemon.bench._worth.curve import (
    area,
    calibration,
    calibration_error,
    precision,
    precisions,
)
from keyturn.daemon.bench._worth.picture import draw
from keyturn.daemon.bench._worth.typed import Suggested, Typist
from keyturn.daemon.bench.worth import command, figures
from keyturn.daemon.completion.completer import CompleterOptions
from keyturn.models.confidence.evidence import Features, Step
from support.daemon.model_engines import tiny_loaded
from support.editors.editor import keyturn

TEXT = "".join(
    f"def number_{n}():\n    value = {n}\n    return value + {n}\n\n\n" for n in range(30)
)
judgements = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


def suggested(text: str, left: str, *starts: tuple[int, int]) -> Suggested:
    steps = tuple(Step(start, line, Features(0, 0, 0)) for start, line in starts)
    return Suggested("a.py", "python", 0, text, left, Confidence((0,), (0.5,)), steps)


@pytest.mark.parametrize(("text", "left", "lines", "right"), [
    ("a + b", "a + b\nc", 1, True),
    ("a + b ", "a + b", 1, True),
    ("a + b", "a + b + c", 0, False),
    ("a\nb\nc", "a\nb\nd", 2, True),
    ("\nb", "\nb", 2, True),
    ("\nb", "b", 0, False),
    ("\nb", "\nc", 1, False),
    ("", "", 1, False),
])  # fmt: skip
def test_the_first_line_that_is_not_blank_is_right_or_not(text, left, lines, right) -> None:
    each = suggested(text, left)
    assert each.right_lines() == lines
    assert each.is_right() is right


def test_a_step_is_judged_only_if_all_before_it_is_right() -> None:
    each = suggested("f(x)\ng(y)", "f(x)\ng(z)", (0, 0), (2, 0), (5, 1), (7, 1), (8, 1))
    assert [(step.start, right) for step, right in each.judged()] == [
        (0, True), (2, True), (5, False), (7, False),
    ]  # fmt: skip


def test_precision_is_that_of_the_likeliest() -> None:
    judged = [(0.9, True), (0.1, False), (0.8, True), (0.2, True)]
    assert precision(judged) == 0.75
    assert precision(judged, 0.5) == 1.0
    assert list(precisions(judged))[-1] == (1.0, 0.75)


def test_the_area_counts_pairs_that_are_in_order() -> None:
    assert area([(0.9, True), (0.1, False)]) == 1.0
    assert area([(0.5, True), (0.5, False)]) == 0.5
    assert area([(0.1, True), (0.9, False)]) == 0.0
    assert area([(0.5, True)]) is None


@given(judgements)
def test_probabilities_that_come_true_have_no_error_and_none_is_above_one(judged) -> None:
    assert 0.0 <= calibration_error(judged) <= 1.0
    assert sum(count for *_, count in calibration(judged)) == len(judged)
    certain = [(float(right), right) for _, right in judged]
    assert calibration_error(certain) == 0.0


def test_figures_are_of_all_and_of_each_language() -> None:
    found = figures({"rust": [(0.9, True), (0.05, False)], "go": [(0.4, True)]})
    assert found["figures"]["suggestions"] == 3
    assert found["languages"]["rust"]["precision_at_half"] == 1.0
    assert found["figures"]["eagerness"]["normal"] == {
        "shown": 0.667, "right": 1.0, "right_kept": 1.0,
    }  # fmt: skip


def test_a_typist_is_given_what_an_editor_would_be_with_the_evidence_for_it(tmp_path: Path) -> None:
    path = tmp_path / "numbers.py"
    path.write_text(TEXT)
    typist = Typist(tiny_loaded(), CompleterOptions(context_tokens=512))
    found = list(typist.types(path, "numbers.py", 1))
    assert len(found) > 4
    for each in found:
        assert bool(each.text) == bool(each.steps) == (each.confidence is not None)
        assert TEXT.count(each.left) >= 1


def test_rows_and_figures_come_from_the_command(tmp_path: Path, tiny_folder: Path) -> None:
    path, rows = tmp_path / "numbers.py", tmp_path / "rows.jsonl"
    path.write_text(TEXT)
    options = (
        "--stretches",
        "1",
        "--model",
        str(tiny_folder),
        "--device",
        "cpu",
        "--dtype",
        "float32",
    )
    done = subprocess.run(
        keyturn("bench", "worth", str(path), *options, "--rows", str(rows), "--json"),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["figures"]["suggestions"] == found["languages"]["python"]["suggestions"] > 0
    read = [json.loads(line) for line in rows.read_text().splitlines()]
    assert {"file", "language", "pause", "line", "start", "right", "features"} == set(read[0])
    assert "judge nothing" in done.stderr


def test_several_candidates_are_as_good_as_the_best_of_them() -> None:
    left = "a + b\nreturn"
    one = Answer(("a + c",), left, took_ms=10, decode_ms=5)
    several = Answer(("a + c", "a  +  c", "a + b"), left, took_ms=15, decode_ms=10)
    assert one.similarity == 0.8
    assert (several.similarity, several.distinct) == (1.0, 2)
    assert Answer((), left, 1, 0).similarity == 0.0
    found = best_of([Asked(one, several), Asked(one, replace(several, took_ms=30))])
    assert (found["k3_time"], found["k3_decoding"], found["best_of_3"]) == (2.25, 2.0, 1.0)
    assert best_of([])["k3_time"] is None


def test_what_is_asked_for_comes_once_from_each_side(tmp_path: Path) -> None:
    path = tmp_path / "numbers.py"
    path.write_text(TEXT)
    found = list(Asker(tiny_loaded(), CompleterOptions(context_tokens=512)).asks(path, "n.py", 1))
    assert found
    for each in found:
        assert len(each.one.texts) <= 1
        assert each.several.distinct == len(each.several.texts) <= 3
        assert each.one.left == each.several.left


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["latin1.py"], "is no text in UTF-8"),
        (["good.py", "latin1.py"], "is no text in UTF-8"),
        (["good.py", "--rows", "missing/rows"], "No such file or directory"),
        (["good.py", "--threads", "-3"], "is not in the range"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin1.py").write_bytes(b"x = '\xe9'\n")
    Path("good.py").write_text("x = 1\n")
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_the_picture_of_a_few_suggestions_is_drawn(tmp_path: Path) -> None:
    draw({"python": [(0.3, True), (0.6, False)]}, tmp_path / "few.png")
    assert (tmp_path / "few.png").stat().st_size > 1_000
