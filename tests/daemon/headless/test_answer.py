"""An answer to a headless question, as an object and in words."""

import json
from dataclasses import replace

from keyturn.api.report import ChunkUse, CompletionMeta, ProjectUse
from keyturn.daemon.headless.answer import Answer

CHUNKS = ChunkUse("lib/b.py", 3, "helper"), ChunkUse("bad\n\x1bname.py", 1, "C")
META = CompletionMeta("m", prompt_tokens=1820, generated_tokens=7, prefill_ms=12.2, decode_ms=22.4)


def answer(project: ProjectUse | None) -> Answer:
    return Answer(("x",), replace(META, project=project), 0, (None,))


def test_the_object_has_what_was_shown_of_the_project_where_it_is_looked_at():
    shown = json.loads(json.dumps(answer(ProjectUse(CHUNKS, 640, 2, 9.5)).as_json()))["project"]
    assert shown["chunks"][0] == {"path": "lib/b.py", "line": 3, "name": "helper"}
    assert (len(shown["chunks"]), shown["tokens"], shown["missing"]) == (2, 640, 2)
    assert "project" not in answer(None).as_json()


def test_in_words_every_definition_has_a_printable_line():
    assert list(answer(ProjectUse(CHUNKS, 640, 2)).account()) == [
        "m read 1,180 tokens of the file and 640 of its project, and wrote 7 in 35 ms",
        "it was shown lib/b.py:3 helper",
        "it was shown bad \ufffdname.py:1 C",
        "not shown, because not ready yet: 2 more of the project",
    ]


def test_in_words_a_file_alone_is_one_line():
    assert list(answer(None).account()) == ["m read 1,820 tokens of the file, and wrote 7 in 35 ms"]
