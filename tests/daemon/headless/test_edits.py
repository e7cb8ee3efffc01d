"""`keyturn complete --ndjson` drives files through edits, and says what each completion cost."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from keyturn.daemon.commands.complete import command
from support.models.tiny_tokenizer import PAGE

FILE = {"filename": "a.py"}


@pytest.fixture
def drive(tiny_folder: Path):
    """Runs messages through the command; its replies."""

    def run(*messages: dict[str, Any], flags: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        text = "".join(json.dumps(message) + "\n" for message in messages)
        where = ("--model", str(tiny_folder), "--device", "cpu", "--dtype", "float32", *flags)
        result = CliRunner().invoke(command, ["--ndjson", "--max-tokens", "4", *where], input=text)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    return run


def test_a_file_is_opened_edited_and_completed_and_every_reply_has_its_id(drive) -> None:
    replies = drive(
        {"op": "open", "id": 1, **FILE, "text": PAGE},
        {"op": "complete", "id": 2, **FILE, "offset": 400},
        {"op": "edit", "id": 3, **FILE, "start": 0, "end": 0, "text": "import re\n"},
        {"op": "complete", "id": 4, **FILE, "line": 8, "column": 1},
        {"op": "close", "id": 5, **FILE},
    )
    assert [reply["id"] for reply in replies] == [1, 2, 3, 4, 5]
    first, second = replies[1], replies[3]
    assert first["cache"]["encoded"] == first["tokens"]["prompt"]
    assert first["cache"]["carried"] == 0
    assert second["cache"]["encoded"] == sum(b - a for a, b in second["cache"]["spans"])
    assert second["tokens"]["reused"] == second["tokens"]["prompt"] - second["cache"]["encoded"]
    assert replies[2]["characters"] == len(PAGE) + 10


@pytest.mark.parametrize("order", ["psm", "suffix-first"])
def test_after_a_refresh_the_answer_is_that_of_a_file_just_opened(drive, order: str) -> None:
    edits = [(500, 503, ""), (30, 30, "x = [\n"), (200, 220, "abc"), (600, 600, "\n\n")]
    messages: list[dict[str, Any]] = [{"op": "open", **FILE, "text": PAGE}]
    text = PAGE
    for start, end, new in edits:
        text = text[:start] + new + text[end:]
        messages += [
            {"op": "edit", **FILE, "start": start, "end": end, "text": new},
            {"op": "complete", **FILE, "offset": len(text[:start].encode())},
        ]
    messages += [
        {"op": "refresh", **FILE},
        {"op": "complete", **FILE, "offset": 100},
        {"op": "refresh", **FILE},
        {"op": "complete", **FILE, "offset": 100},
        {"op": "open", "filename": "b.py", "text": text},
        {"op": "complete", "filename": "b.py", "offset": 100},
        {"text": text, "offset": 100},
    ]
    *_, refreshed, last, _, other, plain = drive(*messages, flags=("--order", order))
    assert refreshed["stale_share"] == 0
    assert last["text"] == other["text"] == plain["text"] != ""
    assert "cache" not in plain


def test_what_makes_no_sense_is_answered_and_changes_nothing(drive) -> None:
    replies = drive(
        {"op": "complete", "id": 1, **FILE, "offset": 0},
        {"op": "open", **FILE, "text": "abc\n"},
        {"op": "edit", "id": 2, **FILE, "start": 3, "end": 9, "text": ""},
        {"op": "edit", "id": 3, **FILE, "start": "x", "end": 9, "text": ""},
        {"op": "dance", "id": 4, **FILE},
        {"op": "complete", "id": 5, **FILE, "offset": 99},
        {"op": "edit", "id": 6, **FILE, "start": 4, "end": 4, "text": "d"},
    )
    errors = {r["id"]: r["error"] for r in replies if "error" in r}
    assert errors.keys() == {1, 2, 3, 4, 5}
    assert {error["code"] for error in errors.values()} == {2}
    assert "no file 'a.py' is open" in errors[1]["message"]
    assert "unknown op 'dance'" in errors[4]["message"]
    assert replies[-1]["characters"] == 5


@pytest.mark.parametrize("wrong", ["x", [1], {"a": 1}, True, 1.5, None, -1])
def test_a_field_of_another_type_costs_its_line_and_changes_nothing(drive, wrong: Any) -> None:
    good: dict[str, dict[str, Any]] = {
        "open": {"text": "abc\n"},
        "edit": {"start": 0, "end": 1, "text": "b"},
        "complete": {
            "offset": 0, "max_tokens": 1, "n": 1, "extent": "line", "temperature": 0, "seed": 0,
            "top_p": 1, "min_p": 0, "timeout": 9, "grammar": "off", "speculate": "off",
        },
        "refresh": {"tokens": 1},
        "close": {},
    }  # fmt: skip
    messages: list[dict[str, Any]] = [
        {"op": op, **FILE, **fields, name: wrong, "id": f"{op} {name}"}
        for op, fields in good.items()
        for name in ("op", "filename", *fields)
        if not (isinstance(wrong, str) and name in ("filename", "text"))  # is one
        and not (wrong is None and name == "timeout")  # is for ever
        and not (wrong in (True, 1.5, -1) and _is_a_number(op, name, wrong))
    ]
    opened = {"op": "open", "id": "first", **FILE, "text": "abc\n"}
    edited = {"op": "edit", "id": "last", **FILE, "start": 4, "end": 4, "text": "d"}
    first, *replies, last = drive(opened, *messages, edited)
    assert [reply["id"] for reply in replies] == [message["id"] for message in messages]
    assert {
        reply["id"]: reply for reply in replies if reply.get("error", {}).get("code") != 2
    } == {}
    assert (first["characters"], last["characters"]) == (4, 5)


def _is_a_number(operation: str, name: str, value: Any) -> bool:
    """Whether the field takes this one."""
    if value is True or operation != "complete":
        return False
    return name in {1.5: ("temperature", "timeout"), -1: ("seed",)}[value]


def test_a_field_that_an_operation_does_not_have_is_refused(drive) -> None:
    _, refreshed = drive(
        {"op": "open", **FILE, "text": "abc\n"}, {"op": "refresh", **FILE, "token": 5}
    )
    assert refreshed["error"] == {"code": 2, "message": "unknown field 'token'"}
