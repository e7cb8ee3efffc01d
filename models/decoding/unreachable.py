"""Unreachable statements: those right behind a return, raise, break or continue.

Judged by the layout that people give code in any language, so only where the jump and what follows
it stand in the same column.
"""

import re
from collections.abc import Sequence

from .brackets import nesting

LANGUAGES = frozenset(
    {
        "c", "cpp", "csharp", "dart", "go", "java", "javascript", "javascriptreact", "julia",
        "kotlin", "lua", "perl", "php", "python", "r", "ruby", "rust", "scala", "shellscript",
        "swift", "typescript", "typescriptreact", "zig",
    }
)  # fmt: skip
JUMP = re.compile(r"(?:return|raise|throw|break|continue)\b(?!\s*[:=])")
CONDITIONAL = re.compile(r"\b(?:if|unless)\b")
CONDITIONAL_IN = ("ruby", "perl")  # `return if …`
GOES_ON = re.compile(r"(?:[-,\\+*/=|&<.?:({\[]|\b(?:and|or|not|in|is|if|else))\Z")
STATEMENT = re.compile(r"[\w\"'`(\[@$*&!~+-]")
REACHED = re.compile(
    r"(?:case|default|else|elif|elsif|elseif|except|finally|catch|rescue|ensure|when|end|fi|done|esac"
    r"|def|class|function|func|fn|fun|async|public|private|protected|internal|static|export|until"
    r"|interface|struct|enum|trait|impl|type)\b|@|--|\w+:(?!:)|[-+*&|]{2}|[-+&|.] "
)  # what is reached in another way, or goes on with the line above
COMMENT = re.compile(r"#|//|/\*|\*|--")


def reached(lines: Sequence[str], above: str, language: str, whole: bool = True) -> int:
    """How many of the `lines` to keep so that no statement stands behind a jump; if they are not
    the `whole`, what such a statement would take with it doesn't count yet.

    `above` is the line over the first of them; empty if what stands there has no say.
    """
    if language not in LANGUAGES:
        return len(lines)
    jump = _jump(above, language)
    behind = 0  # where lines begin that follow the jump
    for number, line in enumerate(lines):
        code = line.strip()
        if not code or COMMENT.match(code):
            continue
        follows = jump is not None and _column(line) == jump
        if follows and STATEMENT.match(code) and not REACHED.match(code):
            return behind
        jump, behind = _jump(line, language), number + 1
    return len(lines) if whole or jump is None else behind


def _jump(line: str, language: str) -> int | None:
    """The column of the line's jump; None if it has none, or only under a condition."""
    code = line.strip()
    if not JUMP.match(code) or nesting(code).inside or code.count("`") % 2 or GOES_ON.search(code):
        return None
    if language in CONDITIONAL_IN and CONDITIONAL.search(code):
        return None
    return _column(line)


def _column(line: str) -> int:
    return len(line) - len(line.lstrip())
