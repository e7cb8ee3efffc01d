"""`keyturn daemon status` in words."""

from collections.abc import Iterator, Mapping
from typing import Any


def lines(status: Mapping[str, Any]) -> Iterator[str]:
    """The status as lines for a person; `--json` has all of it."""
    yield f"keyturn {status['version']}, process {status['pid']}, up {_span(status['uptime_s'])}"
    message = f": {status['message']}" if status.get("message") else ""
    yield f"model      {status['model'] or '(none)'}, {status['phase']}{message}"
    yield f"memory     {status['rss_bytes'] / 1e6:,.0f} MB"
    clients = ", ".join(f"{each['client']} ({each['pid']})" for each in status["clients"])
    yield f"clients    {clients or 'none'}"
    engine = dict(status["engine"])
    engine.pop("model", None)  # stands above
    for name, arm in engine.pop("speculation", {}).items():
        yield f"drafts     {_arm(name, arm)}"
    for kind, cost in status.get("costs", {}).items():
        yield f"{kind:<10} {_cost(cost)}"
    if weights := engine.pop("weight_bits", 0):
        yield f"bits       {weights} in weights, {engine.pop('cache_bits'):g} in keys and values"
    files = engine.pop("files", ())
    project = engine.pop("project", {})
    for problem in engine.pop("problems", ()):
        yield f"problem    {problem}"
    if waiting := engine.pop("kernels_to_pack", 0):
        yield f"packing    {waiting} kernels, in idle time; decoding is slower until then"
    if beside := engine.pop("next_edit", {}):
        yield f"next edits {_next_edit(beside)}"
    server, fallback = engine.pop("server", {}), engine.pop("fallback", {})
    if server:
        yield from _server(server, fallback)
    for name, value in engine.items():
        yield f"{name.replace('_', ' '):<10} {_plain(value)}"
    yield from _project(project)
    for file in files:
        stale = f"{file['stale_share']:.0%} stale"
        yield f"cached     {file['uri']}: {file['tokens']:,} tokens, {stale}"
    requests = ", ".join(f"{count} {how}" for how, count in sorted(status["requests"].items()))
    yield f"requests   {requests or 'none'}"
    if status["protocol_errors"]:
        yield f"refused    {status['protocol_errors']} malformed messages"
    for phase, found in status["latency_ms"].items():
        if phase in ("first_token", "decode"):  # stand above, counted from the question
            continue
        label = phase.replace("_", " ")
        yield f"{label:<10} p50 {found['p50']} ms, p95 {found['p95']} ms of {found['n']}"
    if status["acceptance"] is not None:
        yield f"accepted   {status['acceptance']:.0%} of suggestions"
    if status["held_back"]:
        yield f"held back  {status['held_back']:,} that were probably wrong"


def _project(found: Mapping[str, Any]) -> Iterator[str]:
    """What is known of projects; nothing where none was looked at."""
    for root, how in found.get("projects", {}).items():
        yield f"project    {root}: {how}"
    for problem in found.get("problems", ()):
        yield f"problem    {problem}"
    if "chunks" in found and "projects" in found:
        size = f"{found['chunk_bytes'] / 1e6:,.1f} MB"
        in_memory = f"{found['chunks']:,} in memory ({size})"
        yield f"chunks     {in_memory}, {found['chunks_encoded']:,} encoded"
    if "indexer" in found:
        yield f"indexer    {found['indexer']}"


def _next_edit(found: Mapping[str, Any]) -> str:
    """The next-edit model."""
    if "format" not in found:
        return f"{found['model']}: {found['problem'] or found['state']}"
    tokens = f"{found['tokens_a_pass']:g} tokens a pass, " if found["tokens_a_pass"] else ""
    asked = f"windows asked for {found['asked']:,}, proposed {found['proposed']:,}"
    return f"{found['model']}, in the format of {found['format']}: {tokens}{asked}"


def _server(server: Mapping[str, Any], fallback: Mapping[str, Any]) -> Iterator[str]:
    """Who answers: an engine on another machine, or the one here."""
    waits = f"waits {server['waits_ms']:,} ms for it"
    how = f"answers with {server['model']}" if server["available"] else server["problem"] or "busy"
    yield f"server     {how}; {server['answered']:,} answered, {waits}"
    yield f"fallback   {fallback['model'] or 'not loaded'}; {fallback['answered']:,} answered"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{each} {name}" for name, each in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _arm(name: str, arm: Mapping[str, Any]) -> str:
    if not arm["drafted"]:
        return f"none in {arm['rounds']} passes"
    gain = "unknown" if arm["gain"] is None else f"{arm['gain']:.2f} times as fast as plain"
    return f"{name}: {arm['accepted']} of {arm['drafted']} taken, {gain}"


def _cost(cost: Mapping[str, Any]) -> str:
    """Of one kind of suggestions: medians, and what 95 % of them do not exceed."""
    first, whole = (
        f"{cost[name]['p50']:,.0f} ms (95%: {cost[name]['p95']:,.0f})"
        for name in ("first_token_ms", "whole_ms")
    )
    times = f"first token after {first}, all of it after {whole}"
    return f"{times}, {cost['drafted_share']:.0%} of tokens from drafts; the last {cost['n']:,}"


def _span(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
