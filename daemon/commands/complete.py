"""`keyturn complete`: the file on standard input, the inserted text on standard output.

Exit codes: 0 printed, 1 nothing to suggest, 2 usage, 3 model unavailable, 4 timeout,
130 interrupted. Everything but the text goes to standard error, one line for each problem.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, BinaryIO

import click

from ...api.report import Finish
from ...cache.errors import CacheError, InputError
from ..config import Config, load_config
from ..cursor import cut, decode_text
from ..headless.answers import Answers
from ..headless.edits import Replay
from ..headless.in_process import Choice, Headless
from ..headless.nothing import why_nothing
from ..headless.question import (
    EXTENTS,
    GRAMMAR_MODES,
    SPECULATION_MODES,
    LineError,
    Question,
    Wishes,
    parse,
    parse_object,
    place_of,
)
from ..headless.remote import NotAnswered, RemoteHeadless
from ..headless.time_limit import TimeUp
from ..paths import daemon_paths
from ..workspace.language import language_of
from ._exit_codes import NOTHING, exit_code, one_line_errors

DTYPES = ("auto", "float32", "bfloat16", "float16", "int8", "int5")


@click.command("complete", context_settings={"allow_extra_args": True})
@click.option("--line", type=int, help="Line of the cursor, from 1.")
@click.option("--column", type=int, help="Column of the cursor in characters, from 1.")
@click.option("--offset", type=int, help="Bytes before the cursor.")
@click.option("--cursor-marker", metavar="STR", help="Text that stands where the cursor is.")
@click.option("--stdin-filename", metavar="PATH", default="", help="Name of the file.")
@click.option("--model", help="Name, folder or file; the configured one otherwise.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--dtype", type=click.Choice(DTYPES), default="auto", show_default=True)
@click.option("--max-tokens", type=int,
              help="Tokens at most; completion.max_tokens otherwise.")  # fmt: skip
@click.option("--context-tokens", type=click.IntRange(64), default=2048, show_default=True,
              help="Prompt and completion together.")  # fmt: skip
@click.option("--extent", type=click.Choice(EXTENTS), default="auto", show_default=True,
              help="How far a completion may go.")  # fmt: skip
@click.option("--order", type=click.Choice(["psm", "suffix-first", "spm"]),
              help="Order of the prompt; the model's default otherwise.")  # fmt: skip
@click.option("--temperature", type=float, default=0.0, show_default=True, help="0 is greedy.")
@click.option("--top-p", type=float, default=1.0, show_default=True)
@click.option("--min-p", type=float, default=0.0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--grammar", type=click.Choice(GRAMMAR_MODES), default="exact", show_default=True,
              help="What to do where the grammar refuses.")  # fmt: skip
@click.option("--json-schema", metavar="FILE",
              help="JSON schema of the text; needs keyturn[json-schema].")  # fmt: skip
@click.option("--speculate", type=click.Choice(SPECULATION_MODES), default="auto",
              show_default=True,
              help="Whose guesses are verified several at once, for speed. No text changes, but "
                   "where a search under --grammar runs out of its time (1 s at most) it has got "
                   "further by then.")  # fmt: skip
@click.option("--n", type=int, default=1, show_default=True, help="Distinct candidates.")
@click.option("--timeout", type=float, metavar="SECONDS",
              help="Give up after this long, whatever is under way. Without it nothing waits for "
                   "less than it needs, but decoding ends with what it has after the editors' "
                   "deadline (completion.deadline_ms, 3 s).")  # fmt: skip
@click.option("--stream", is_flag=True, help="Print each line as soon as it is certain.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--verbose", is_flag=True,
              help="Say how the text came to be, and what of the project the model was shown, on "
                   "standard error.")  # fmt: skip
@click.option("--fresh", is_flag=True,
              help="Use nothing of what was cached for the file, and keep nothing.")  # fmt: skip
@click.option("--no-daemon", is_flag=True, help="Load the model here, in one process.")
@click.option("--ndjson", is_flag=True, help="Answer one JSON request a line until input ends.")
@click.pass_context
def command(context: click.Context, **options: Any) -> None:
    """Complete the code at a position of a file read from standard input.

    Say where the cursor is with --line and --column, with --offset, or with --cursor-marker.
    The daemon answers, and is started if none runs: it keeps the model, and for every
    --stdin-filename what it has read, so that asking again after an edit costs the edit only.
    This process loads the model itself with --no-daemon, --device, --dtype, --context-tokens,
    --order, --json-schema, a --model that is not the daemon's, or where no daemon can be started.

    Only the text to insert is printed. Exit codes: 0 printed, 1 nothing to suggest, 2 usage,
    3 model unavailable, 4 timeout, 130 interrupted.

    With --ndjson every line is {"text", "filename", "line", "column" | "offset" |
    "cursor_marker", and any of "id", "max_tokens", "n", "extent", "temperature", "top_p",
    "min_p", "seed", "timeout", "grammar", "speculate"}; every reply is an object as --json
    prints it, with its "id", or {"id", "error": {"code", "message"}} with an exit code from above.

    Or every line drives a file through edits: {"op": "open", "filename", "text"}, {"op": "edit",
    "filename", "start", "end", "text"} in characters, {"op": "complete", "filename", and a place},
    whose reply says in "cache" what was encoded, {"op": "refresh", "filename"} for idle time, and
    {"op": "close", "filename"}. These show what an edit costs, and are carried out by this process
    alone: a daemon refreshes in its idle time, not where a line says so. To have edited files
    completed by the daemon, send their whole text under the same "filename": it finds the edit.
    """
    with one_line_errors():
        if context.args:
            raise InputError(f"give the file on standard input: … < {context.args[0]}")
        config = load_config()
        for problem in config.problems:
            click.echo(f"keyturn: {problem}", err=True)
        configured = {"model": config.model.name, "max_tokens": config.completion.max_tokens}
        given = {name: value for name, value in options.items() if value is not None}
        given["tokens_given"] = "max_tokens" in given
        sys.exit(run({**options, **configured, **given}, config))


def run(options: dict[str, Any], config: Config) -> int:
    """Answer on standard output; the exit code when all went well."""
    if sys.stdin is None or sys.stdout is None:
        raise InputError("standard input and output must be open")
    output = sys.stdout.buffer
    try:
        if options["ndjson"]:
            return _many(options, config, sys.stdin.buffer, output)
        return _one(options, config, sys.stdin.buffer, output)
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        return 0
    except OSError as error:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), output.fileno()
        )  # what is left is not tried again
        raise InputError(f"cannot read the question or write the answer: {error}") from error


def _one(options: dict[str, Any], config: Config, source: BinaryIO, output: BinaryIO) -> int:
    started = time.monotonic()
    if options["n"] > 1 and not options["as_json"]:
        raise InputError("several candidates (--n) need --json or --ndjson")
    if options["stream"] and options["as_json"]:
        raise InputError("--stream and --json do not go together")
    if options["json_schema"] and language_of(options["stdin_filename"]).id != "json":
        raise InputError("--json-schema is for JSON: give a --stdin-filename that ends in .json")
    question = _question(options, source)
    write = _writer(output)
    stream = write if options["stream"] else None
    with _answers(options, config, _headless(options, config)) as answers:
        answer = answers.answer(question, stream, started)
    if options["as_json"]:
        write(_dumped(answer.as_json()) + "\n")
    elif not options["stream"]:
        write(answer.text)
    if output.isatty() and not options["as_json"] and not answer.text.endswith("\n"):
        write("\n")  # a person reads it, and the prompt comes next
    if not answer.text and not options["as_json"]:
        click.echo(f"keyturn: nothing to suggest: {why_nothing(answer.as_json())}", err=True)
    elif not options["as_json"]:
        _say_limit(answer.meta.finish, options)
    if options["verbose"]:
        for line in answer.account():
            click.echo(f"keyturn: {line}", err=True)
    return 0 if answer.text else NOTHING


def _say_limit(finish: Finish | None, options: dict[str, Any]) -> None:
    """That the text was cut short, unless by a limit that was asked for."""
    if finish is Finish.DEADLINE:
        click.echo("keyturn: cut short by the time limit; --timeout gives more", err=True)
    elif finish is Finish.TOKENS and not options["tokens_given"]:
        click.echo("keyturn: cut short by the token limit; --max-tokens gives more", err=True)


def _question(options: dict[str, Any], source: BinaryIO) -> Question:
    wishes = _wishes(options)
    place = place_of(
        options["line"], options["column"], options["offset"], options["cursor_marker"]
    )
    if source.isatty():
        raise InputError("give the file on standard input: keyturn complete … < FILE")
    text = decode_text(source.read())
    return Question(cut(text, place), options["stdin_filename"], wishes)


def _many(options: dict[str, Any], config: Config, source: BinaryIO, output: BinaryIO) -> int:
    for name in ("line", "column", "offset", "cursor_marker", "stream", "verbose", "as_json"):
        if options[name] is not None and options[name] is not False:
            raise InputError(f"--ndjson takes no {_flag(name)}: every line says its own")
    defaults, write = _wishes(options), _writer(output)
    here = _headless(options, config)
    replay = Replay(here, defaults)
    with _answers(options, config, here) as answers:
        for line in source:
            if line.strip():
                write(_dumped(_reply(line, defaults, answers, replay)) + "\n")
    return 0


def _reply(line: bytes, defaults: Wishes, answers: Answers, replay: Replay) -> dict[str, Any]:
    """An answer, or what is wrong with the line; a model that is unavailable ends everything."""
    identity, started = None, time.monotonic()
    try:
        given = parse_object(line)
        if "op" in given:
            identity = given.pop("id", None)
            return {"id": identity, **replay.reply(given, started)}
        identity, question = parse(line, defaults)
        answer = answers.answer(question, None, started)
    except (InputError, CacheError, NotAnswered, TimeUp) as error:
        if isinstance(error, LineError):
            identity = error.identity
        return {"id": identity, "error": {"code": exit_code(error), "message": str(error)}}
    return {"id": identity, **answer.as_json()}


def _choice(options: dict[str, Any]) -> Choice:
    names = ("model", "device", "dtype", "context_tokens", "order", "json_schema")
    return Choice(**{name: options[name] for name in names})


def _headless(options: dict[str, Any], config: Config) -> Headless:
    return Headless(_choice(options), sys.stderr, options["ndjson"], config.completion.deadline_ms)


def _answers(options: dict[str, Any], config: Config, here: Headless) -> Answers:
    """`here` answers what the daemon is not asked."""
    choice = _choice(options)
    if options["no_daemon"] or choice != Choice(choice.model):
        return Answers(here, None)  # the daemon has devices and prompts of its own
    configured = config.model.name == choice.model
    daemon = RemoteHeadless(
        daemon_paths(),
        version("keyturn"),
        choice.model,
        may_start=configured,
        in_settings=configured and not config.sources["model.name"].startswith("KEYTURN_"),
        progress=sys.stderr,
        decode_ms=config.completion.deadline_ms,
        fresh=options["fresh"],
    )
    return Answers(here, daemon)


def _wishes(options: dict[str, Any]) -> Wishes:
    names = ("max_tokens", "n", "extent", "temperature", "top_p", "min_p", "seed", "timeout",
             "grammar", "speculate")  # fmt: skip
    try:
        return Wishes(**{name: options[name] for name in names})
    except InputError as error:  # which names a field, as for a line of JSON
        field, _, what = str(error).partition(" ")
        raise InputError(f"{_flag(field)} {what}") from None


def _flag(name: str) -> str:
    return "--json" if name == "as_json" else "--" + name.replace("_", "-")


def _writer(output: BinaryIO) -> Callable[[str], None]:
    def write(text: str) -> None:
        output.write(text.encode())
        output.flush()

    return write


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value)  # ASCII only: an id may hold anything, also lone surrogates
