"""The answer to a look for a next edit, as plain data."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple
from itertools import islice
from typing import Any

from ...api.uris import path_in
from ..next_edit.model import NextEditModel
from ..next_edit.open_text import OpenText
from ..next_edit.proposer import Proposer
from .engine import File
from .jobs import FileKey, NextEdit

SUPERSEDED = {"superseded": True}  # something newer is asked
MOST_OTHERS = 20  # open files of the same window that are looked at
MOST_ELSEWHERE = 4  # of them in which something may be changed


def answer(
    proposer: Proposer,
    files: Mapping[FileKey, File],
    job: NextEdit,
    model: NextEditModel | None,
    pause: Callable[[], None],
) -> dict[str, Any]:
    """Under `edit` what is proposed in the file; where that is nothing, under `elsewhere` what is
    proposed in others, each with its `uri` and `version`. Empty where the file has changed."""
    file, query = files.get(job.file), job.query
    if file is None or file.version != query.version or query.offset > len(file.text.raw):
        return {}
    ours = (each for key, each in files.items() if key.client == job.file.client)
    beside = (each for each in ours if each is not file)
    others = [_open_text(each) for each in islice(beside, MOST_OTHERS)]
    this, refused = _open_text(file), {_plain(*astuple(each)) for each in query.refused}
    found = proposer.next_edit(this, query.offset, others, refused, pause, model)
    if found is not None:
        return {"edit": asdict(found)}
    elsewhere = proposer.elsewhere(this, others, pause)[:MOST_ELSEWHERE]
    return {
        "elsewhere": [
            {"uri": other.key.uri, "version": files[other.key].version, **asdict(proposal)}
            for other, proposal in elsewhere
            if isinstance(other.key, FileKey)
        ]
    }


def _plain(why: str, *texts: str) -> tuple[str, str, str]:
    """A refusal in the form that models read: lines end in a line feed."""
    old, new = (text.replace("\r\n", "\n") for text in texts)
    return why, old, new


def _open_text(file: File) -> OpenText:
    uri, path = file.key.uri, path_in(file.key.uri)
    return OpenText(file.key, file.language, path, file.text, uri.partition("://")[0])
