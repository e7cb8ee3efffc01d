"""`keyturn bench project` measures what it says, on little; the figures are not judged."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from keyturn.daemon.bench._project.cases import KINDS, cases
from keyturn.daemon.bench._project.folder import Folder
from keyturn.daemon.bench._project.speaker import Binding, Speaker
from keyturn.daemon.bench._project.table import ABOUT, ARMS, BOUND, FILE, RING, TEXT, lines
from keyturn.daemon.bench.project import Row, command, ratios
from keyturn.lsp.options import Options
from keyturn.models.loading import loader
from support.daemon.model_engines import tiny_loaded

SHAPES = 'class Circle:\n    def __init__(self, radius: float) -> None:\n        """Round."""\n'
FILLING = "".join(f"number_{each} = {each}\n" for each in range(20))


def uses(name: str) -> str:
    return f"from shapes import Circle\n\n{FILLING}\n{name} = Circle(1.5)\nprint({name})\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "shapes.py").write_text(SHAPES)
    for name in ("one", "two", "three", "four"):
        (folder / f"{name}.py").write_text(uses(name))
    return folder


def test_cases_are_calls_of_what_another_file_defines_with_the_rest_of_the_line_taken_out(
    root: Path, tmp_path: Path
):
    with Folder(root, tmp_path / "cache", Options()) as folder:
        found = list(cases(folder.project, folder.index, most=4))
        assert sorted(case.path for case in found) == ["four.py", "one.py", "three.py", "two.py"]
        assert {case.kind for case in found} == set(KINDS)
        for case in found:
            assert case.callee == "Circle"
            assert case.before + case.wanted + case.after == (root / case.path).read_text()
            assert case.wanted == {"arguments": "1.5)"}.get(
                case.kind, f"{case.path.removesuffix('.py')} = Circle(1.5)"
            )
            assert "Circle" in [each.name for each in folder.wanted(case)]
            assert all(case.path not in each for each in folder.ring(case, _random()))
        again = list(cases(folder.project, folder.index, most=4))
        assert again == found


def _random():
    from random import Random

    return Random(1)


@pytest.mark.parametrize("binding", list(Binding))
def test_however_chunks_come_into_a_prompt_it_has_the_same_tokens(binding: Binding):
    speaker = Speaker(tiny_loaded())
    chunks = ["# a.py\ndef a():\n\n", "# b.py\ndef b():\n\n"]
    said = speaker.say("x = 1\ny = ", "\nz = 2\n", chunks, binding)
    alone = speaker.say("x = 1\ny = ", "\nz = 2\n", [], Binding.TEXT)
    assert said.prompt_tokens == alone.prompt_tokens + sum(map(speaker.tokens, chunks))
    assert said.first_ms > 0
    assert "\n" not in said.text


def test_keys_are_timed_for_each_set_of_chunks():
    speaker = Speaker(tiny_loaded())
    took = speaker.after_a_key("x = 1\ny = ", "\n", ([], ["# a.py\n\n"]), keys=3)
    assert len(took) == 2
    assert min(took) > 0


def test_the_ratios_are_what_they_are_called():
    def rows(arm: str, exact: list[bool], ms: float) -> list[Row]:
        return [Row("a.py", "line", arm, each, 1.0, 9, 9, 0.1, ms) for each in exact]

    made = [
        *rows(FILE, [True, False, False, False], 10),
        *rows(BOUND, [True, True, False, False], 11),
        *rows(TEXT, [True, True, True, False], 100),
        *rows(RING, [False] * 4, 100),
    ]
    assert ratios(made) == {
        "em_gain_over_file_only": 0.25,
        "gain_kept": 0.5,
        "first_token_cost": 1.1,
        "first_token_cost_as_text": 10.0,
    }
    without = [row for row in made if row.arm != TEXT] + rows(TEXT, [False] * 4, 100)
    assert ratios(without)["gain_kept"] is None
    assert {row.arm for row in made} == set(ARMS)


def test_a_folder_whose_files_call_nothing_of_each_other_is_refused_in_words(tmp_path: Path):
    (tmp_path / "alone.py").write_text("x = 1\n")
    done = CliRunner().invoke(command, ["--folder", str(tmp_path), "--model", "none-at-all"])
    assert done.exit_code == 1
    assert "choose another --folder" in done.output


def test_only_files_with_an_outline_are_read_and_none_whose_name_is_no_text(
    root: Path, tmp_path: Path
):
    (root / "notes.md").write_text("# Notes\n")
    (root / os.fsdecode(b"half\xff.py")).write_text("x = 1\n")
    with Folder(root, tmp_path / "cache", Options()) as folder:
        assert sorted(folder.index.files()) == [
            *("four.py", "one.py", "shapes.py", "three.py", "two.py")
        ]


def test_the_settings_of_the_folder_hold(root: Path):
    (root / "keyturn.toml").write_text('[completion]\ndisabled_globs = ["shapes.py"]\n')
    done = CliRunner().invoke(command, ["--folder", str(root), "--model", "none-at-all"])
    assert "choose another --folder" in done.output
    (root / "keyturn.toml").write_text("[completion]\nproject = false\n")
    done = CliRunner().invoke(command, ["--folder", str(root), "--model", "none-at-all"])
    assert done.exit_code == 1
    assert "`project` is off" in done.output
    assert "switch it on" in done.output


@pytest.mark.parametrize("option", ["--cases", "--project-tokens"])
def test_fewer_than_one_is_refused(option: str):
    done = CliRunner().invoke(command, [option, "0"])
    assert done.exit_code == 2
    assert "range" in done.output


def test_the_summary_explains_each_arm():
    figures = {"query_p50_ms": 1.0, "query_most_ms": 2.0, "files": 3, "definitions": 4}
    figures |= {"indexing_s": 0.1, "index_bytes": 5e6}
    for arm in ARMS:
        name = arm.replace(" ", "_")
        figures |= {f"em_{name}": 0.5, f"similarity_{name}": 0.75, f"first_token_ms_{name}": 9.0}
    compared = {"em_gain_over_file_only": 0.25, "gain_kept": None, "first_token_cost": 1.5}
    said = "\n".join(lines(figures, compared))
    for arm, about in ABOUT.items():
        assert f"{arm:<10}  50.0%     0.75        9.0 ms  {about}" in said
    assert "+25.0%" in said
    assert "- of that gain" in said.replace("  ", " ")


def test_few_cases_are_said_to_judge_nothing(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loader, "load", lambda *_, **__: tiny_loaded())
    done = CliRunner().invoke(command, ["--folder", str(root), "--model", "tiny", "--cases", "2"])
    assert done.exit_code == 0, done.output
    assert "so few cases (2) judge nothing: use --cases 100 or more" in done.output
