"""`keyturn complete`, with a tiny random model from a folder: what goes in, what comes out."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from keyturn.daemon.commands.complete import command
from support.models.tiny_tokenizer import PAGE

ABOVE = "\nx = 1\n"
TRIES = 3  # completions, where the first ones come to nothing
SAMPLED = ("--temperature", "2", "--extent", "all", "--max-tokens", "12")
Complete = Callable[..., Result]


@pytest.fixture
def complete(tiny_folder: Path) -> Complete:
    """Runs the command in this process."""

    def run(*arguments: str, text: str | bytes = ABOVE, model: str | None = None) -> Result:
        model = model or str(tiny_folder)
        flags = [*arguments, "--model", model, "--device", "cpu", "--dtype", "float32"]
        return CliRunner().invoke(command, flags, input=text)

    return run


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def complained(result: Result, code: int, message: str) -> bool:
    """Whether the command ended with `code`, nothing on stdout, and one line that has `message`."""
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    return True


# region What comes out
def test_stdout_has_the_inserted_text_and_nothing_else(complete: Complete) -> None:
    where = ("--line", "1", "--column", "5", *SAMPLED)
    plain = complete(*where, text="x = \ny = 2\n")
    full = complete(*where, "--json", text="x = \ny = 2\n")
    assert plain.exit_code == full.exit_code == 0
    assert plain.stdout == json.loads(full.stdout)["text"] != ""
    assert plain.stderr == ""


def test_line_and_column_offset_and_marker_mean_the_same_place(complete: Complete) -> None:
    texts = {
        complete("--line", "2", "--column", "3", *SAMPLED, text="é = 1\nab\n").stdout,
        complete("--offset", "9", *SAMPLED, text="é = 1\nab\n").stdout,
        complete("--cursor-marker", "<|>", *SAMPLED, text="é = 1\nab<|>\n").stdout,
    }
    assert len(texts) == 1
    assert texts != {""}


def test_json_says_how_the_text_came_to_be(complete: Complete, tiny_folder: Path) -> None:
    result = complete("--offset", "0", *SAMPLED, "--json")
    assert result.stdout.count("\n") == 1
    [answer] = lines(result)
    assert answer.keys() == {
        "text", "candidates", "confidence", "finish", "tokens", "timings", "grammar",
        "speculation", "model", "device",
    }  # fmt: skip
    assert answer["tokens"].keys() == {"prompt", "reused", "generated"}
    assert answer["timings"].keys() == {"load", "tokenise", "prefill", "decode"}
    assert all(value >= 0 for value in answer["timings"].values())
    assert 0 < answer["tokens"]["generated"] <= 12 * TRIES
    assert (answer["model"], answer["device"]) == (str(tiny_folder), "cpu")


def test_verbose_says_on_standard_error_how_the_text_came_to_be(complete: Complete) -> None:
    where = ("--offset", "0", *SAMPLED)
    quiet, verbose = complete(*where), complete(*where, "--verbose")
    assert verbose.stdout == quiet.stdout
    assert verbose.stderr.count("\n") == 1
    assert " tokens of the file, and wrote " in verbose.stderr


def test_several_candidates_are_distinct(complete: Complete) -> None:
    [answer] = lines(complete("--offset", "0", "--n", "3", *SAMPLED, "--json"))
    assert len(set(answer["candidates"])) == 3
    assert answer["text"] == answer["candidates"][0]


def test_streamed_text_is_the_same_text(complete: Complete) -> None:
    where = ("--offset", "0", *SAMPLED, "--max-tokens", "40")
    seeds = [("--seed", str(seed)) for seed in range(8)]
    plain = [complete(*where, *seed).stdout for seed in seeds]
    assert [complete(*where, *seed, "--stream").stdout for seed in seeds] == plain
    assert any(plain)


def test_a_seed_repeats_itself(complete: Complete) -> None:
    texts = [complete("--offset", "0", *SAMPLED, "--seed", seed).stdout for seed in "1123"]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


def test_in_an_empty_file_nothing_is_suggested(complete: Complete) -> None:
    result = complete("--offset", "0", *SAMPLED, text="")
    assert complained(result, 1, "the file says nothing yet")


def test_nothing_to_suggest_is_code_1_and_one_line_that_says_why(complete: Complete) -> None:
    seeds = map(str, range(100))
    one = ("--offset", "3", "--temperature", "3", "--extent", "line", "--max-tokens", "1")
    results = ((seed, complete(*one, "--seed", seed, text="x =\n")) for seed in seeds)
    seed, empty = next((seed, result) for seed, result in results if result.stdout == "")
    assert complained(empty, 1, "nothing to suggest: ")
    assert "no grammar for plaintext" in empty.stderr
    full = complete(*one, "--seed", seed, "--json", text="x =\n")
    assert (full.exit_code, full.stderr) == (1, "")  # it is all in the object


def test_a_crlf_file_gets_crlf(complete: Complete) -> None:
    where = ("--offset", "0", *SAMPLED, "--max-tokens", "40")
    seeds = [("--seed", str(seed)) for seed in range(8)]
    unix = [complete(*where, *seed, text=b"\nx = 1\n").stdout_bytes for seed in seeds]
    windows = [complete(*where, *seed, text=b"\r\nx = 1\r\n").stdout_bytes for seed in seeds]
    assert windows == [text.replace(b"\n", b"\r\n") for text in unix]
    assert any(unix)


# endregion
# region What is refused
@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        ((), "", "exactly one way"),
        (("--line", "1"), "", "line and column go together"),
        (("--offset", "0", "--line", "1", "--column", "1"), "", "exactly one way"),
        (("--line", "9", "--column", "1"), "x\n", "past the end: line 9 of 2"),
        (("--line", "1", "--column", "9"), "x\n", "past the end of line 1"),
        (("--offset", "9"), "x\n", "offset 9 of 2 bytes"),
        (("--cursor-marker", "|"), "a|b|c", "more than once"),
        (("--cursor-marker", "|"), "abc", "is not in the file"),
        (("--offset", "0"), b"\xff\xfe", "not valid UTF-8: byte 0xff at offset 0"),
        (("--offset", "0"), b"\x7fELF\0", "binary"),
        (("--offset", "0", "--max-tokens", "0"), "", "--max-tokens must be between 1 and"),
        (("--offset", "0", "--temperature", "-1"), "", "--temperature must be"),
        (("--offset", "0", "--timeout", "0"), "", "--timeout must be between"),
        (("--offset", "0", "a.py"), "", "< a.py"),
        (("a.py",), "", "< a.py"),
        (("--offset", "0", "--n", "2"), "", "--n"),
        (("--offset", "0", "--stream", "--json"), "", "do not go together"),
        (("--offset", "0", "--json-schema", "x"), "", "ends in .json"),
        (
            ("--offset", "0", "--json-schema", "no", "--stdin-filename", "a.json"),
            "",
            "the JSON schema no cannot be read",
        ),
        (("--ndjson", "--offset", "0"), "", "--ndjson takes no --offset"),
        (("--ndjson", "--json"), "", "--ndjson takes no --json"),
    ],
)
def test_bad_input_is_code_2_and_one_line(
    complete: Complete, arguments: tuple[str, ...], text: str | bytes, message: str
) -> None:
    assert complained(complete(*arguments, text=text), 2, message)


def test_an_unknown_option_is_code_2(complete: Complete) -> None:
    assert complete("--offset", "0", "--colour").exit_code == 2


def test_a_model_file_that_is_not_there_is_said_to_be_none(complete: Complete) -> None:
    for model in ("/no/such.gguf", "./no/such", "no.gguf"):
        result = complete("--offset", "0", model=model)
        assert complained(result, 3, f"there is no file or folder {model!r}")


def test_look_ups_are_the_daemon_s_and_the_message_says_where_to_ask_for_them(
    complete: Complete,
) -> None:
    assert complained(complete("--offset", "0", model="lookup"), 2, "set model.name")
    server = complete("--offset", "0", "--no-daemon", model="https://gpu.example")
    assert complained(server, 2, "answers in a daemon only")


def test_an_unknown_model_is_code_3_and_one_line(complete: Complete) -> None:
    assert complained(complete("--offset", "0", model="nope"), 3, "unknown model 'nope'")


def test_an_order_that_the_model_does_not_know_is_an_option_error(complete: Complete) -> None:
    assert complete("--offset", "0", "--order", "sideways").exit_code == 2


def test_a_timeout_is_code_4_and_one_line(complete: Complete) -> None:
    assert complained(complete("--offset", "0", "--timeout", "0.00001"), 4, "within 1e-05 s")


def test_a_text_cut_by_a_limit_that_nobody_asked_for_is_said_to_be_so(
    complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYTURN_COMPLETION_MAX_TOKENS", "6")
    given = complete("--offset", "300", *SAMPLED, text=PAGE)
    assert "cut short" not in given.stderr
    result = complete("--offset", "300", "--temperature", "2", "--extent", "all", text=PAGE)
    assert result.stderr == "keyturn: cut short by the token limit; --max-tokens gives more\n"


# endregion
# region Odd files
@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", ("--line", "1", "--column", "1")),
        ("\ufeffx = 1\n", ("--line", "1", "--column", "6")),
        ("\tif x:\r\n\t\t", ("--line", "2", "--column", "3")),
        (PAGE * 9000, ("--line", "100000", "--column", "1")),  # 5 MB
        ("x = [" + "1, " * 70_000 + "]\n", ("--offset", "100000")),  # one line of 200 kB
        ("<|fim_middle|><|endoftext|>", ("--offset", "14")),
    ],
)
def test_odd_files_get_a_sensible_answer(
    complete: Complete, text: str, where: tuple[str, ...]
) -> None:
    result = complete(*where, *SAMPLED, text=text)
    assert result.exit_code in (0, 1)
    assert (result.stdout != "") == (result.exit_code == 0)
    assert (result.stderr == "") == (result.exit_code == 0)


# endregion
# region Many requests
def test_every_line_gets_one_reply_in_order_and_errors_stay_with_their_line(
    complete: Complete,
) -> None:
    wishes = {"temperature": 2, "extent": "all", "max_tokens": 8}
    asked = [
        json.dumps({"id": "a", "text": "x = ", "offset": 4, **wishes}),
        "not json",
        "",
        '{"id": "b", "text": "\\ud800", "offset": 0}',
        json.dumps({"id": {"c": 1}, "text": "x = |", "cursor_marker": "|", **wishes}),
        json.dumps({"text": "x = ", "line": 1, "column": 5, "timeout": 1e-5}),
    ]
    result = complete("--ndjson", text="\n".join(asked))
    assert (result.exit_code, result.stderr) == (0, "")
    first, second, third, fourth, fifth = lines(result)
    assert first["id"] == "a"
    assert first["text"] == fourth["text"] != ""
    assert second == {
        "id": None,
        "error": {"code": 2, "message": "the line is not valid JSON: Expecting value"},
    }
    assert (third["id"], third["error"]["code"]) == ("b", 2)
    assert fourth["id"] == {"c": 1}
    assert (fifth["id"], fifth["error"]["code"]) == (None, 4)
    assert first["timings"]["load"] > 0 == fourth["timings"]["load"]


def test_defaults_for_all_lines_come_from_the_options(complete: Complete) -> None:
    asked = '{"text": "x", "offset": 0}\n{"text": "x", "offset": 0, "max_tokens": 2}\n'
    result = complete("--ndjson", *SAMPLED, text=asked)
    first, second = lines(result)
    assert second["tokens"]["generated"] <= 2 * TRIES < first["tokens"]["generated"]


def test_without_its_model_a_stream_of_requests_ends_with_code_3(complete: Complete) -> None:
    result = complete("--ndjson", text='{"text": "", "offset": 0}\n' * 3, model="nope")
    assert complained(result, 3, "unknown model")


# endregion
# region A process of its own
def start(
    tiny_folder: Path, *arguments: str, stdout: int = subprocess.PIPE
) -> "subprocess.Popen[bytes]":
    flags = ["--model", str(tiny_folder), "--device", "cpu", "--dtype", "float32"]
    return subprocess.Popen(
        [sys.executable, "-m", "keyturn.daemon", "complete", *arguments, *flags],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def test_replies_come_while_the_input_is_open_and_an_interrupt_is_code_130(
    tiny_folder: Path,
) -> None:
    process = start(tiny_folder, "--ndjson")
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(b'{"id": 1, "text": "x = ", "offset": 4}\n')
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["id"] == 1
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    output, errors = process.communicate()
    assert (process.returncode, output) == (130, b"")
    assert errors == b"keyturn: interrupted\n"


def test_a_reader_that_has_had_enough_is_no_error(tiny_folder: Path) -> None:
    reading, writing = os.pipe()
    process = start(tiny_folder, "--offset", "0", "--json", stdout=writing)
    os.close(writing)
    os.close(reading)
    _, errors = process.communicate(b"", timeout=60)
    assert (process.returncode, errors) == (0, b"")


def test_a_timeout_cuts_into_whatever_is_under_way(tiny_folder: Path) -> None:
    started = time.monotonic()
    process = start(tiny_folder, "--offset", "0", "--timeout", "0.05", "--max-tokens", "1000")
    _, errors = process.communicate(b"x" * 10_000, timeout=60)
    assert process.returncode == 4, errors
    assert errors == b"keyturn: no completion within 0.05 s\n"
    assert time.monotonic() > started


# endregion


# region Settings
def test_the_configured_number_of_tokens_counts_unless_another_is_given(
    complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYTURN_COMPLETION_MAX_TOKENS", "3")
    where = ("--offset", "4", "--temperature", "2", "--extent", "all", "--json")

    def generated(*more: str) -> int:
        results = [complete(*where, "--seed", str(seed), *more, text="x = ") for seed in range(5)]
        return max(json.loads(result.stdout)["tokens"]["generated"] for result in results)

    assert generated() <= 3 * TRIES < generated("--max-tokens", "40")


def test_each_problem_of_the_settings_is_a_line_and_the_answer_comes_all_the_same(
    complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(tmp_path))
    where = ("--offset", "4", *SAMPLED)
    sound = complete(*where, text="x = \n")
    for settings, problems in (
        ("[broken", ["config.toml"]),
        ("[model]\ncache_mib = -1\ndtipe = 1\n", ["dtipe", "model.cache_mib"]),
    ):
        (tmp_path / "config.toml").write_text(settings)
        result = complete(*where, text="x = \n")
        assert result.stdout == sound.stdout != ""
        said = sorted(result.stderr.splitlines())
        assert len(said) == len(problems)
        assert all(line.startswith("keyturn: ") for line in said)
        assert all(any(problem in line for line in said) for problem in problems)


# endregion
