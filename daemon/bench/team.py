"""What a team's server adds to its engines, and whether it is fair: users who type at fixed times,
whatever the server does, and for the last third of the time one who floods it.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from sysconfig import get_path

import click

from ..config import LOOKUP
from . import _options
from ._team.flood import Flood
from ._team.judged import Right, figures
from ._team.own_server import own_server
from ._team.typist import Asked, Typist

FLOOD = "flood"
CALM = 2 / 3  # of the time
CHARACTERS = (8_000, 40_000)  # of a file that is typed in


@click.command(name="team")
@click.option("--url", help="Of a server that runs. Otherwise one is started here.")
@click.option("--token", "token_file", type=click.Path(exists=True, path_type=Path),
              help="With --url: a file with a token a line, for users and one more.")  # fmt: skip
@_options.loading("Of the server started here; 'lookup' otherwise.", optional=True)
@_options.threads
@click.option("--replicas", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option("--users", default=10, show_default=True, type=click.IntRange(1, 1_000))
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(3, 86_400))
@_options.as_json
def command(
    url: str | None,
    token_file: Path | None,
    model: str,
    device: str,
    dtype: str,
    threads: int,
    replicas: int,
    users: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Measure a server while users type.

    \b
    affinity         how often a file's question goes to the replica that had the one before
    unanswered       questions without an answer, though nobody typed on
    wrong            answers that are not a local engine's to the same text (of "lookup" only)
    engine_mean_ms   what the engine says it took for one; asked_a_minute: by one user
    overhead_…_ms    from question to answer, less what the engine says it took
    fairness         how many times as long others wait at p95 while one user floods the server
    """
    if (url is None) != (token_file is None):
        raise click.UsageError("--url and --token go together")
    model = model or LOOKUP
    environment = {"OMP_NUM_THREADS": str(threads)} if threads else {}  # of each replica
    more = ["--device", device, "--dtype", dtype]
    names = [f"user{number}" for number in range(users)]
    with tempfile.TemporaryDirectory() as folder:
        started = (
            nullcontext(None)
            if url
            else own_server(Path(folder), model, [*names, FLOOD], replicas, environment, more=more)
        )
        with started as own:
            where = (own.url, own.tokens) if own else _known(url, token_file, names)
            calm, crowded = asyncio.run(_measure(*where, names, seconds))
            found = figures(calm, crowded, locally() if own and model == LOOKUP else None)
    echoed = {"bench": "team", "model": model, "users": users, "seconds": seconds, "figures": found}
    click.echo(
        json.dumps(echoed) if as_json else "\n".join(f"{k:<18}{v}" for k, v in found.items())
    )
    for why in sorted({each.error for each in [*calm, *crowded] if each.error}):
        click.echo(f"no answer: {why}", err=True)


def _known(
    url: str | None, token_file: Path | None, names: Sequence[str]
) -> tuple[str, Mapping[str, str]]:
    assert url is not None
    assert token_file is not None
    tokens = token_file.read_text().split()
    if len(tokens) <= len(names):
        raise click.UsageError(
            f"{token_file} has {len(tokens)} tokens: {len(names) + 1} are needed"
        )
    return url, dict(zip([*names, FLOOD], tokens, strict=False))


async def _measure(
    url: str, tokens: Mapping[str, str], names: Sequence[str], seconds: float
) -> tuple[list[Asked], list[Asked]]:
    """The questions without the flood, and those beside it."""
    written = texts(len(names))
    typists = [
        Typist(name, f"{name}.py", text, url, tokens[name], seed)
        for seed, (name, text) in enumerate(zip(names, written, strict=True))
    ]
    began = time.monotonic()
    end, flood_at = began + seconds, began + CALM * seconds

    async def flood() -> None:
        await asyncio.sleep(flood_at - time.monotonic())
        await Flood(url, tokens[FLOOD], written[0]).pour_until(end)

    async with asyncio.TaskGroup() as group:
        group.create_task(flood())
        for each in typists:
            group.create_task(each.type_until(end))
    for each in typists:
        await each.close()
    asked = [question for each in typists for question in each.asked]
    return [q for q in asked if q.at < flood_at], [q for q in asked if q.at >= flood_at]


def texts(count: int) -> list[str]:
    """Files of Python's own library, which is everywhere."""
    least, most = CHARACTERS
    paths = sorted(Path(get_path("stdlib")).glob("*.py"))
    found = [
        path.read_text(encoding="utf-8") for path in paths if least < path.stat().st_size < most
    ]
    return [found[number % len(found)] for number in range(count)]


def locally() -> Right:
    """What `lookup` answers in this process."""
    from ...api.request import CompletionRequest
    from ...api.uris import path_of
    from ...lsp.backend import ProjectRules
    from ..config import options_in
    from ..engines.lookup import LookupEngine
    from ..file_text import FileText
    from ..server.engine import File
    from ..server.jobs import Complete, FileKey
    from ..workspace.project_files import Library
    from ._team.typist import OPTIONS

    engine = LookupEngine(tuple, path_of, Library(options_in, 0))

    def answer(asked: Asked) -> tuple[str, ...]:
        key, text = FileKey(1, f"{asked.user}.py"), FileText.of(asked.before + asked.after)
        file = File(key, "python", 1, text, ProjectRules(is_read=False))
        request = CompletionRequest(key.uri, 1, len(asked.before), options=OPTIONS)
        job = Complete(key, request, time.monotonic() + 60, lambda outcome: None)
        return tuple(each.text for each in engine.complete(file, job))

    return answer
