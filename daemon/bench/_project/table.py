"""What was measured, as lines for a person: one for each arm, then what comparing them says."""

from collections.abc import Iterator

FILE, BOUND, TEXT, RING = "file only", "bound", "as text", "ring"
ARMS = (FILE, BOUND, TEXT, RING)
ABOUT = {
    FILE: "after a key, nothing of other files",
    BOUND: "after a key, chunks encoded before: at once",
    TEXT: "from nothing, chunks as idle time makes them",
    RING: "from nothing, random chunks",
}


def lines(figures: dict[str, float], ratios: dict[str, float | None]) -> Iterator[str]:
    yield f"{'arm':<10}{'exact':>7}{'similar':>9}{'first token':>14}"
    for arm in ARMS:
        name = arm.replace(" ", "_")
        ms = f"{figures[f'first_token_ms_{name}']:.1f} ms"
        exact, similar = figures[f"em_{name}"], figures[f"similarity_{name}"]
        yield f"{arm:<10}{exact:>7.1%}{similar:>9.2f}{ms:>14}  {ABOUT[arm]}"
    yield ""
    for value, meaning in (*_compared(ratios), *_took(figures)):
        yield f"{value:>10}  {meaning}"


def _took(figures: dict[str, float]) -> Iterator[tuple[str, str]]:
    query, most = figures["query_p50_ms"], figures["query_most_ms"]
    yield f"{query:.1f} ms", f"to choose chunks, in the median; {most:.1f} ms at the most"
    read = f"{figures['files']:,} files with {figures['definitions']:,} definitions"
    size = f"{figures['index_bytes'] / 1e6:,.1f} MB"
    yield f"{figures['indexing_s']:.1f} s", f"to read {read}; their index has {size}"


def _compared(ratios: dict[str, float | None]) -> Iterator[tuple[str, str]]:
    gain, kept = ratios["em_gain_over_file_only"], ratios["gain_kept"]
    cost = ratios["first_token_cost"]
    yield f"{gain:+.1%}", "more are exact with chunks bound than with the file only"
    if kept is None:
        yield "-", "of that gain is there before idle time: chunks as text gain nothing"
    else:
        yield f"{kept:.0%}", "of what chunks gain as text is there before idle time"
    yield f"{cost:.2f}", "times the file's own time to the first token, with chunks bound"
