"""Readings of the next token from a layer's state, without and with a linear map in between."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ...nn.linear import Linear
from .file import EPSILON


class Guess(NamedTuple):
    """The likeliest tokens and their probabilities, each (tokens,)."""

    tokens: Tensor
    confidences: Tensor


class ExitReader(Protocol):
    def read(self, exit_: int, hidden: Tensor) -> Guess:
        """From the states (tokens, hidden) after the first `exit_` layers."""
        ...


def best(logits: Tensor, ids: Tensor | None = None) -> Guess:
    """The guesses of `logits` (tokens, rows), whose rows are the tokens `ids` or all of them."""
    confidences, rows = logits.float().softmax(dim=-1).max(dim=-1)
    return Guess(rows if ids is None else ids[rows], confidences)


class RawReader:
    """The model's own last norm and head, on any layer (logit lens): for models that were trained
    to exit early. `ids` are the tokens of a head that was cut (`head`)."""

    def __init__(self, head: Linear, ids: Tensor | None = None) -> None:
        self._head = head
        self._ids = ids

    def read(self, exit_: int, hidden: Tensor) -> Guess:
        return best(self._head(hidden), self._ids)


def mapped(map_: Tensor, hidden: Tensor) -> Tensor:
    """(tokens, inputs) through a map (inputs + 1, outputs), whose last row is a constant."""
    x = normed(hidden)
    return (x @ map_[:-1] + map_[-1]).to(hidden.dtype)


def normed(x: Tensor) -> Tensor:
    """Each row over its root mean square, in float32."""
    x = x.float()
    return x * (x.square().mean(dim=-1, keepdim=True) + EPSILON).rsqrt()


class LinearMap:
    """Sums for the least-squares map from one layer's states to the last one's, both over their
    root mean square: add states, then solve. Ridge regression; needs no steps and no rate."""

    def __init__(self, inputs: int, outputs: int | None = None, constant: bool = True) -> None:
        """Features of a state; by default as many come out. `constant`: the map may add one."""
        rows = inputs + constant
        self._constant = constant
        self._gram = torch.zeros(rows, rows, dtype=torch.float64)
        self._cross = torch.zeros(rows, outputs or inputs, dtype=torch.float64)

    def add(self, states: Tensor, last: Tensor) -> None:
        """(tokens, inputs) and (tokens, outputs)."""
        ones = torch.ones(len(states), int(self._constant), device=states.device)
        x = torch.cat((normed(states), ones), dim=1)
        self._gram += (x.T @ x).double().cpu()
        self._cross += (x.T @ normed(last)).double().cpu()

    def solve(self, ridge: float = 30.0) -> Tensor:
        """(inputs, outputs) float32, and one row more for the constant, if any. `ridge` weighs as
        much as that many tokens of noise."""
        damped = self._gram + ridge * torch.eye(len(self._gram), dtype=torch.float64)
        return torch.linalg.solve(damped, self._cross).float()
