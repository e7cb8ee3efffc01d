"""A language server process around the tiny backend, for tests that need real pipes."""

import asyncio
import logging
import sys
from pathlib import Path

from keyturn.lsp.documents import Documents
from keyturn.lsp.options import Options
from keyturn.lsp.server import KeyturnServer, serve
from keyturn.lsp.settings import OfFiles

sys.path.append(str(Path(__file__).parents[2]))
from support.lsp.tiny_backend import TinyBackend


async def main() -> int:
    server = KeyturnServer("0", TinyBackend(), Documents(), lambda workspace: OfFiles(Options()))
    return await serve(server)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # as in `keyturn lsp`
    sys.exit(asyncio.run(main()))
