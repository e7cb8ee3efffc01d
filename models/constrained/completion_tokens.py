"""Completions of the trie as the tokens that the decoding loop gives."""

from collections.abc import Iterator

import numpy as np

from ...api.report import Finish
from ..decoding.decode import Token
from ..decoding.odds import Odds
from .aligned_sampling import Aligned
from .trie import Node


def tokens_of(
    found: Aligned, limit_tokens: int, greedy: bool, given: Node | None = None
) -> Iterator[Token]:
    """Those of a completion, or of what is settled of it, that come after `given`; the last one
    says what ended it, if it is over. `greedy`: with their odds."""
    for node in behind(found.node, given):
        finish = None
        if node is found.node and found.stopped:
            finish = Finish.LINES if node.state.over else Finish.EOS
        elif node is found.node and node.length >= limit_tokens:
            finish = Finish.TOKENS
        yield token_at(node, finish, greedy)


def behind(node: Node | None, given: Node | None = None) -> list[Node]:
    """The nodes up to `node` that come after `given`, or after the root."""
    line = [] if node is None else node.line()[1:]
    return line if given is None else line[given.depth :]


def token_at(node: Node, finish: Finish | None, greedy: bool) -> Token:
    """A node's token, `greedy` with its odds."""
    piece = "" if finish is Finish.EOS else node.state.piece
    return Token(node.token, piece, finish, _odds(node) if greedy else None)


def _odds(node: Node) -> Odds | None:
    """Of a node's token, as the model saw them before it."""
    before = node.parent
    at = None if before is None or before.support is None else before.support.index(node.token)
    if before is None or before.support is None or at is None:
        return None
    p = before.support.probabilities
    return Odds(float(p[at]), float(np.delete(p, at).max(initial=0.0)))
