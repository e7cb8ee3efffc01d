"""The code that exits are trained on: windows of files, laid out as prompts with what follows.

A window is a fill-in-the-middle prompt of the model's own family and, after it, the code that the
cursor had been put in front of, so that the model's states are those it has while it completes.
The same folders and seed give the same windows in the same order, which is what makes training
resumable; about one file in `HELD_OUT` is kept apart by its name and never trained on.
"""

import os
import random
import sysconfig
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CorpusTooSmall, UnsupportedModel
from ..prompts.fim import PromptBuilder, PromptOptions
from ..tokenizer.bpe import Tokenizer

CODE = (
    ".bash .c .cc .cpp .cs .css .go .h .hpp .html .java .js .json .jsx .kt .lua .php .py .pyi .rb"
    " .rs .scala .sh .sql .swift .toml .ts .tsx .vue .yaml .yml"
)
SUFFIXES = tuple(CODE.split())
SKIPPED_FOLDERS = frozenset(
    {"__pycache__", "node_modules", "site-packages", "dist-packages", "lib2to3", "idlelib"}
)
SMALLEST_BYTES, LARGEST_BYTES = 2_000, 400_000
SUFFIX_TOKENS = 48
HELD_OUT = 10  # one file in so many
LEAST_WINDOWS = 32
SEED = 20_24


@dataclass(frozen=True, slots=True)
class Window:
    """`tokens` as the model reads them; from index `first` on they are to be predicted."""

    tokens: tuple[int, ...]
    first: int
    held_out: bool


def default_folders() -> list[Path]:
    """Python's standard library and the packages installed beside it."""
    paths = sysconfig.get_paths()
    found = (Path(paths[name]) for name in ("stdlib", "platlib", "purelib"))
    return list(dict.fromkeys(path.resolve() for path in found if path.is_dir()))


def source_files(paths: Sequence[Path], skip: Sequence[str] = ()) -> list[Path]:
    """Files of code below `paths`, each once, in a fixed shuffled order; folders named in `skip`
    are left out. Raises `CorpusTooSmall` for a path that does not exist."""
    found: dict[Path, None] = {}
    skipped = SKIPPED_FOLDERS | set(skip)
    for path in paths:
        if not path.exists():
            raise CorpusTooSmall(f"there is no {path}: --corpus takes folders or files of code")
        if path.is_file():
            found[path.resolve()] = None
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(f for f in folders if f not in skipped and not f.startswith("."))
            for name in sorted(names):
                file = Path(folder, name)
                if name.endswith(SUFFIXES) and _worth_reading(file):
                    found[file.resolve()] = None
    files = list(found)
    random.Random(SEED).shuffle(files)
    return files


def _worth_reading(file: Path) -> bool:
    try:
        return SMALLEST_BYTES <= file.stat().st_size <= LARGEST_BYTES
    except OSError:
        return False  # a link to nowhere


def windows(files: Sequence[Path], tokenizer: Tokenizer, tokens: int) -> Iterator[Window]:
    """A window of `tokens` tokens from every file that is long enough, then a second one from
    each, and so on until a round finds nothing."""
    try:
        builder = PromptBuilder(tokenizer)
    except UnsupportedModel:
        builder = None  # a model without these prompts continues plain text
    choose = random.Random(SEED)
    used: set[tuple[Path, int]] = set()
    while True:
        before = len(used)
        for file in files:
            text = file.read_text(encoding="utf-8", errors="ignore")
            lines = [index for index, character in enumerate(text) if character == "\n"]
            start = choose.choice(lines[: max(1, len(lines) // 2)]) + 1 if lines else 0
            ids = tokenizer.encode(text[start : start + 16 * tokens])
            place = start // (4 * tokens)  # so that windows of a file hardly overlap
            if len(ids) < tokens or (file, place) in used:
                continue
            used.add((file, place))
            yield _window(ids, builder, tokens, held_out=held_out(file))
        if len(used) == before:
            return


def held_out(file: Path) -> bool:
    """Whether a file is kept for judging, wherever it lies and whatever else there is."""
    return zlib.crc32(f"{file.parent.name}/{file.name}".encode()) % HELD_OUT == 0


def _window(
    ids: Sequence[int], builder: PromptBuilder | None, tokens: int, *, held_out: bool
) -> Window:
    if builder is None:
        return Window(tuple(ids[:tokens]), 16, held_out)
    options = PromptOptions(heal=False)
    room = tokens - SUFFIX_TOKENS
    prompt = builder.assemble(ids[: room // 2], ids[-SUFFIX_TOKENS:], options)
    rest = ids[room // 2 :]
    laid_out = (*prompt.tokens, *rest)[:tokens]
    first = prompt.prefix.start if prompt.prefix.stop == len(prompt.tokens) else len(prompt.tokens)
    return Window(laid_out, first + 16, held_out)


def require_windows(count: int) -> None:
    """Raises `CorpusTooSmall` when there is too little to train on and to check with."""
    if count < LEAST_WINDOWS:
        raise CorpusTooSmall(
            f"the corpus gives {count} windows of code and training needs {LEAST_WINDOWS}:"
            " name more or larger folders with --corpus"
        )
