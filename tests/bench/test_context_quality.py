"""The bench of windows: which lines it takes out of which files, and what it compares."""

import math
from itertools import islice
from pathlib import Path

from . import context_quality as bench


def folder(path: Path) -> Path:
    for name, line in (("a.py", "value = {}  # 1\n"), ("b.c", "int value{} = 1;\n")):
        (path / name).write_text("# remark\n" + "".join(line.format(n) for n in range(1_200)))
    (path / "short.py").write_text("value = 1\n" * 900)
    (path / "copy.py").write_text((path / "a.py").read_text())
    (path / "words.md").write_text("word\n" * 1_200)
    return path


def test_lines_are_taken_out_of_long_files_of_every_language_in_turn(tmp_path: Path) -> None:
    found = list(islice(bench.cases([folder(tmp_path)], 1), 6))
    assert [each.language for each in found] == ["c", "python"] * 3
    assert found == list(islice(bench.cases([tmp_path], 1), 6))
    for case in found:
        text = Path(case.path).read_text()
        assert case.prefix + case.target + case.suffix == text
        assert case.prefix.count("\n") == case.line
        assert "value" in case.target
        assert Path(case.path).name in ("a.py", "b.c")


def test_windows_are_compared_case_by_case(tmp_path: Path) -> None:
    [one, two] = islice(bench.cases([folder(tmp_path)], 1), 2)
    right, wrong = one.target.strip(), "nothing of the kind"
    results = [
        (one, {2048: bench.Answer(wrong, 3.0, 1700), 4096: bench.Answer(right, 1.0, 3500)}),
        (two, {2048: bench.Answer(two.target, 2.0, 1700)}),
    ]
    rows = {(row.language, row.tokens): row for row in bench.table(results, 2048)}
    assert rows["all", 2048].cases == 2
    assert rows["all", 2048].exact == 50
    wide = rows["all", 4096]
    assert (wide.cases, wide.exact_more, wide.nats_more) == (1, 100, -2)
    assert wide.probability == round(100 * math.exp(-1), 2)
    assert "| all | 4,096 | 1 | 3,500 | 100.0 (+100.0 ± 0.0)" in bench.markdown(list(rows.values()))


def test_a_run_goes_on_from_what_was_kept(tmp_path: Path) -> None:
    [case] = islice(bench.cases([folder(tmp_path)], 1), 1)
    said = {2048: bench.Answer("x", 1.5, 1700)}
    kept = tmp_path / "kept.jsonl"
    bench.keep(kept, (case, said))
    assert bench.kept(kept) == {(case.path, case.line): said}
    assert bench.kept(tmp_path / "other") == {}
