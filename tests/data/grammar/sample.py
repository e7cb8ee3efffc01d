"""Accounts, written to exercise the grammar: strings, decorators, comprehensions, async."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import (
    Any,
    Iterator,  # a comment inside brackets
)

LIMIT = 1_000
PATTERN = r"\d+\s*" r'[a-z]\\'
message = "half " \
    "of it"


@dataclass(frozen=True)
class Account(object):
    '''A docstring with "quotes" and a {brace}.'''

    owner: str
    balance: float = 0.0
    tags: list[str] = field(default_factory=list)

    def deposit(self, amount: float, *, note: str = "") -> "Account":
        if amount <= 0 or amount > LIMIT:
            raise ValueError(f"bad amount: {amount!r:>10} for {self.owner}{'' if note else '?'}")
        elif note:
            print(note, file=None)
        else:
            pass
        # a comment at the block's level
        return Account(self.owner, self.balance + amount, [*self.tags, note])

    @property
    def rich(self) -> bool: return self.balance > 1e6


def squares(n, /, *rest, key=lambda x, y=2: x ** y, **extra) -> Iterator[int]:
    yield from (key(i) for i in range(n) if i % 2 == 0)
    total = sum(x for x in rest) \
        + len(extra)
    while total:
        total -= 1
        if total == 3:
            continue
        else: break
    else:
        del extra
    assert total >= 0, "never"
    matrix = {(i, j): [
        i * j,
        ~i & j | 3,
    ] for i in range(3) for j in range(3)}
    first, *others = sorted(matrix)
    global LIMIT; LIMIT = 0x_ff
    return first if others else None


async def main(names: set[str]) -> None:
    try:
        async with asyncio.timeout(3) as scope, scope:
            results = [await asyncio.sleep(0, name) async for name in agen(names)]
    except (OSError, ValueError) as error:
        print(error)
    finally:
        nonlocal_name = not names
    try:
        ...
    except* TypeError:
        ...

    match names:
        case {"a": 1, **rest} if rest:
            pass
        case [Account(owner="me"), 1 | 2, *_]:
            pass
        case _:
            if (n := len(names)) > 1: print(n)


    x: int = 3 if names else -4
    x @= 2; x //= 3; x <<= 1
    print(b"\x00" + rb'\y', u"ü", """
  triple
 """, 1.5e-3j, not x is None, x not in names)

if __name__ == "__main__":
	asyncio.run(main({"ä"}))
