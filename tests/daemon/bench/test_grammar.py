"""`keyturn bench grammar` measures what it says, on little; the figures are not judged."""

import json

from click.testing import CliRunner

from keyturn.daemon.bench.grammar import GREEDY, SAMPLED, command, decode, source
from support.daemon.model_engines import tiny_engine


def test_opening_is_measured_without_a_model():
    options = ["--model", "none", "--lines", "150", "--edits", "2", "--json"]
    done = CliRunner().invoke(command, options, catch_exceptions=False)
    figures = json.loads(done.output)["figures"]
    assert set(figures) == {
        "open_ms",
        "edit_at_the_cursor_ms",
        "edit_a_quarter_above_it_ms",
        "edit_at_the_start_ms",
    }
    assert all(value > 0 for value in figures.values())


def test_decoding_is_measured_greedy_and_sampled_in_each_mode():
    rows = decode(tiny_engine(), source(120), places=3, new_tokens=4, modes=("exact", "gcd"))
    assert {(row.way, row.mode) for row in rows} == {
        (way, mode) for way in (GREEDY, SAMPLED) for mode in ("exact", "gcd")
    }
    for row in rows:
        assert row.tokens > 0
        assert row.us_per_token > 0
        assert 0 < row.wall_share < 1
