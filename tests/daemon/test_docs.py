"""What the documentation says about settings, commands and variables is what the code has."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

from keyturn.daemon.config import SECTIONS
from keyturn.lsp.backend import Phase

ROOT = Path(__file__).parents[2]
DAEMON = (ROOT / "docs" / "daemon.md").read_text()
HELP = (ROOT / "doc" / "keyturn.txt").read_text()


def test_the_example_configuration_is_valid_and_shows_real_settings():
    [block] = re.findall(r"```toml\n(.*?)```", DAEMON, re.DOTALL)
    for section, values in tomllib.loads(block).items():
        known = {field.name for field in fields(SECTIONS[section])}
        assert values.keys() <= known


def test_every_completion_setting_is_in_both_documents():
    for field in fields(SECTIONS["completion"]):
        camel = re.sub(r"_(.)", lambda match: match[1].upper(), field.name)
        assert field.name in DAEMON
        assert camel in HELP


def test_every_phase_and_command_is_documented():
    for phase in Phase:
        assert f"`{phase.value}`" in DAEMON
    server = (ROOT / "lsp" / "server.py").read_text()
    for command in re.findall(r'@server\.command\("(keyturn\.\w+)"\)', server):
        assert f"`{command}`" in DAEMON
