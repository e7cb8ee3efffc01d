"""Questions to somebody else's server."""

import asyncio

from keyturn.api.request import CompletionOptions, CompletionRequest
from keyturn.daemon.foreign.address import Address, Kind
from keyturn.daemon.foreign.foreign_files import ForeignFiles
from keyturn.daemon.remote.reply import Reply
from support.daemon.completions_server import Written
from support.daemon.replayed_server import Replayed

LEFT = "def area(shape):\n    "
RIGHT = "\n    return total\n\n\ndef other():\n    pass\n"


def ask(
    written: Written | Replayed,
    left: str = LEFT,
    right: str = RIGHT,
    kind: Kind = Kind.OPENAI,
    token: str | None = None,
    suffix: str | None = None,
    **options: object,
) -> Reply:
    if suffix is None:
        suffix = "/v1" if kind is Kind.OPENAI else ""
    address = Address.of(f"{kind}+{written.url}{suffix}")

    async def asked() -> Reply:
        files = ForeignFiles(address, token, 2048)
        try:
            await files.look()
            files.show("a", "a.py", "python", left + right)
            wanted = CompletionOptions(**{"deadline_ms": 20_000, **options})  # type: ignore[arg-type]
            return await files.ask("a", CompletionRequest("", 0, len(left), options=wanted))
        finally:
            await files.close()

    return asyncio.run(asked())


def said(reply: Reply) -> list[str]:
    return [each.text for each in reply.completions]
