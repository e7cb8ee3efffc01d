"""Nothing that is valid may be refused, at full size: thousands of cuts in hundreds of real files.

Which files those are, `corpus` says; a whole sweep needs KEYTURN_CORPUS. KEYTURN_SWEEP_FILES (for a
language) and KEYTURN_SWEEP_CUTS (in a file) make it smaller.
"""

import os
import random
from collections import Counter
from itertools import accumulate

import pytest

from keyturn.models.grammar.languages import GRAMMARS, load_automaton
from keyturn.models.grammar.oracle import Unconstrained
from keyturn.models.grammar.treesitter.left_context import LeftContext
from keyturn.models.hub.download import ModelFiles
from keyturn.models.loading.gguf import GgufFile
from keyturn.models.tokenizer.bpe import Tokenizer
from keyturn.models.tokenizer.vocabulary import from_gguf
from support.corpus import sources, valid_texts

FILES_PER_LANGUAGE = int(os.environ.get("KEYTURN_SWEEP_FILES", "40"))
CUTS_PER_FILE = int(os.environ.get("KEYTURN_SWEEP_CUTS", "40"))
REACH_BYTES = 200  # fed behind a cut
UNREAD_SHARE = 0.002  # of the cuts: no more may be left without a grammar, which harms nobody
WHOLE = {"languages": 15, "files": 500, "cuts": 20_000}  # what a whole sweep has at least


def refusal(document: LeftContext, data: bytes, edges: list[int]) -> tuple[str, str]:
    """Open `data` up to the first edge, feed it edge by edge. Where that is refused, and where
    the text was let pass unread, if it was.

    Edges may lie inside characters: the document takes whole ones, the state the rest.
    """
    cut = edges[0]
    left = data[:cut].decode(errors="ignore")
    opening = document.open(left)
    place = f"{cut}: {data[max(0, cut - 60) : cut]!r}"
    if opening.skipped_lines:
        return f"{place}: {opening.reason}", ""
    if not opening.constrained:
        return "", f"{place}: {opening.reason}"
    state, at = opening.state, len(left.encode())
    for edge in edges:
        following = state.feed(data[at:edge])
        if following is None:
            return f"{place} then {data[cut:at]!r} | {data[at:edge]!r}", ""
        state, at = following, edge
    return "", state.reason if isinstance(state, Unconstrained) else ""


def byte_edges(data: bytes, rng: random.Random) -> list[int]:
    """A random cut and pieces of a few bytes behind it."""
    cut = rng.randrange(1, len(data))
    pieces = accumulate(rng.randrange(1, 9) for _ in range(REACH_BYTES // 4))
    return [cut, *(cut + piece for piece in pieces if cut + piece <= len(data))]


def token_edges(edges: list[int], rng: random.Random) -> list[int]:
    """A random cut at a token's end and the ends of the tokens behind it."""
    first = rng.randrange(len(edges))
    return [edge for edge in edges[first : first + 64] if edge <= edges[first] + REACH_BYTES]


@pytest.fixture(scope="module")
def tokenizer(real_model: ModelFiles) -> Tokenizer:
    """The real model's: 152,000 tokens, whose ends are where completions are cut."""
    return Tokenizer(from_gguf(GgufFile(real_model.path).metadata))


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_no_cut_of_any_valid_file_is_refused(
    tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
):
    refused: list[str] = []
    unread: list[str] = []
    cuts: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for language, paths in sources().items():
        automaton, rng = load_automaton(language), random.Random(language)
        for path, text in valid_texts(language, paths, FILES_PER_LANGUAGE):
            document = LeftContext(automaton, not GRAMMARS[language].layout)
            data = text.encode()
            ends = list(accumulate(len(tokenizer.token_bytes(t)) for t in tokenizer.encode(text)))
            places = [byte_edges(data, rng) for _ in range(CUTS_PER_FILE // 2)]
            places += [token_edges(ends, rng) for _ in range(CUTS_PER_FILE // 2)]
            for edges in sorted(places):
                cuts[language] += 1
                here, open_here = refusal(document, data, edges)
                refused += [f"{path} {here}"] if here else []
                unread += [f"{path} {open_here}"] if open_here else []
            files[language] += 1
            if not document.open(text).state.can_finish():
                refused.append(f"{path}: the end of the file")
        with capsys.disabled():
            print(f"{language}: {files[language]} files, {cuts[language]} cuts, "
                  f"so far {len(refused)} refused, {len(unread)} unread", flush=True)  # fmt: skip
    swept = {"languages": len(+files), "files": files.total(), "cuts": cuts.total()}
    with capsys.disabled():
        print(f"swept {swept}: {len(refused)} refused, {len(unread)} unread", flush=True)
    assert not refused, "\n".join(refused)
    assert len(unread) <= UNREAD_SHARE * cuts.total(), "\n".join(unread)
    if any(swept[what] < least for what, least in WHOLE.items()):
        pytest.skip(f"all fine, but only {swept}: name folders of sources in KEYTURN_CORPUS")
