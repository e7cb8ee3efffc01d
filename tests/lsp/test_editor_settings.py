"""The settings that the VS Code extension offers are the server's options, to the letter; its
commands have names of their own."""

import json
from dataclasses import fields
from pathlib import Path

from keyturn.lsp.documents import Documents
from keyturn.lsp.options import CHOICES, RANGES, Options
from keyturn.lsp.server import KeyturnServer
from keyturn.lsp.settings import OfFiles
from support.lsp.tiny_backend import TinyBackend

MANIFEST = Path(__file__).parents[2] / "vscode-extension" / "package.json"


def test_each_option_is_offered_with_its_default_its_choices_and_its_range():
    offered = json.loads(MANIFEST.read_text())["contributes"]["configuration"]["properties"]
    for field in fields(Options):
        first, *rest = field.name.split("_")
        setting = offered["keyturn." + first + "".join(word.title() for word in rest)]
        default = getattr(Options(), field.name)
        assert setting["default"] == (list(default) if isinstance(default, tuple) else default)
        assert (setting.get("minimum"), setting.get("maximum")) == RANGES.get(
            field.name, (None, None)
        )
        assert setting.get("enum") == (list(CHOICES[field.name]) if field.name in CHOICES else None)


def test_no_command_has_a_name_of_the_server_s_which_the_client_registers_too():
    server = KeyturnServer("0", TinyBackend(), Documents(), lambda _: OfFiles(Options()))
    contributed = json.loads(MANIFEST.read_text())["contributes"]["commands"]
    assert not server.protocol.fm.commands.keys() & {each["command"] for each in contributed}
