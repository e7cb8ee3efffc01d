"""Translation between the protocol's types and ours."""

import re
from collections.abc import Iterable
from dataclasses import replace

from lsprotocol import types

from ..api.report import Completion, ProjectUse
from ..api.request import Trigger
from .backend import BackendState
from .documents import Change, Document, Position
from .outcome import Account
from .position import Encoding
from .worth import LEAST, Eagerness

ACCEPTED_COMMAND = "keyturn.accepted"
WORD_BEFORE = re.compile(r"\w+\Z")
LONGEST_WORD = 200  # characters


def changes_of(params: types.DidChangeTextDocumentParams) -> list[Change]:
    return [
        Change(change.text, position_of(change.range.start), position_of(change.range.end))
        if isinstance(change, types.TextDocumentContentChangePartial)
        else Change(change.text)
        for change in params.content_changes
    ]


def position_of(position: types.Position) -> Position:
    return Position(position.line, position.character)


def range_of(document: Document, completion: Completion, encoding: Encoding) -> types.Range:
    return range_between(document, completion.start, completion.end, encoding)


def range_between(document: Document, first: int, last: int, encoding: Encoding) -> types.Range:
    start, end = document.position(first, encoding), document.position(last, encoding)
    return types.Range(
        types.Position(start.line, start.column), types.Position(end.line, end.column)
    )


def trigger_of(kind: types.InlineCompletionTriggerKind) -> Trigger:
    invoked = kind == types.InlineCompletionTriggerKind.Invoked
    return Trigger.INVOKED if invoked else Trigger.TYPING


def inline_items(
    document: Document, completions: Iterable[Completion], encoding: Encoding
) -> list[types.InlineCompletionItem]:
    """Items for ghost text. `filterText` starts with what is replaced: nothing is filtered away."""
    return [
        types.InlineCompletionItem(
            insert_text=completion.text,
            filter_text=_filter_text(document, completion),
            range=range_of(document, completion, encoding),
            command=_accepted(document, number),
        )
        for number, completion in enumerate(completions)
    ]


def _filter_text(document: Document, completion: Completion) -> str:
    replaced = document.text[completion.start : completion.end]
    return completion.text if completion.text.startswith(replaced) else replaced + completion.text


def extending(
    document: Document,
    completions: Iterable[Completion],
    selected: types.SelectedCompletionInfo,
    encoding: Encoding,
    eagerness: Eagerness,
) -> list[Completion]:
    """Those that go on from the entry selected in the editor's menu, in its place, as far as they
    are likely to be right if the entry is.

    An editor shows no others while its menu is open, and these only over the entry's own range.
    """
    start = document.offset(position_of(selected.range.start), encoding)
    end = document.offset(position_of(selected.range.end), encoding)
    found: list[Completion] = []
    for each in completions:
        text = document.text[start : each.start] + each.text
        if not start <= each.start <= end <= each.end or not text.startswith(selected.text):
            continue
        rest = text[len(selected.text) :]
        known = each.confidence and each.confidence.after(max(0, len(each.text) - len(rest)))
        worth = rest if known is None else known.worth(rest, LEAST[eagerness])
        if worth or not rest:
            text = selected.text + worth
            found.append(replace(each, text=text, start=start, confidence=known))
    return found


def menu_items(
    document: Document, completions: Iterable[Completion], encoding: Encoding
) -> list[types.CompletionItem]:
    """Items for the ordinary menu of a client without ghost text. Each begins with the word that
    the cursor is in or behind: editors compare it with that word."""
    items: list[types.CompletionItem] = []
    for rank, given in enumerate(completions):
        completion = _with_word(document, given)
        first, _, more = completion.text.partition("\n")
        items.append(
            types.CompletionItem(
                label=first.strip() + (" …" if more else ""),
                kind=types.CompletionItemKind.Snippet,
                detail="keyturn",
                documentation=completion.text,
                sort_text=f"\x7f{rank:03}",  # behind what the language's own server offers
                filter_text=first,
                insert_text_format=types.InsertTextFormat.PlainText,
                text_edit=types.TextEdit(range_of(document, completion, encoding), completion.text),
                command=_accepted(document, rank),
            )
        )
    return items


def _accepted(document: Document, number: int) -> types.Command:
    """What the editor runs once the `number`-th suggestion was accepted."""
    return types.Command("Accepted", ACCEPTED_COMMAND, arguments=[document.uri, number])


def _with_word(document: Document, completion: Completion) -> Completion:
    word = WORD_BEFORE.search(document.text[: completion.start][-LONGEST_WORD:])
    begun = word[0] if word else ""
    return replace(completion, text=begun + completion.text, start=completion.start - len(begun))


def status_of(state: BackendState, enabled: bool) -> dict[str, object]:
    """The parameters of the `keyturn/status` notification."""
    return {
        "phase": state.phase.value,
        "message": state.message,
        "model": state.model,
        "fraction": state.fraction,
        "enabled": enabled,
    }


def account_of(account: Account) -> dict[str, object]:
    """The answer of `keyturn.why`."""
    meta, project = account.meta, account.meta.project or ProjectUse()
    return {
        "known": account.known,
        "shown": account.shown,
        "likely": None if account.likely is None else round(account.likely, 3),
        "model": meta.model,
        "device": meta.device,
        "finish": meta.finish.value if meta.finish else "",
        "promptTokens": meta.prompt_tokens,
        "reusedTokens": meta.reused_tokens,
        "generatedTokens": meta.generated_tokens,
        "prefillMs": round(meta.prefill_ms, 1),
        "decodeMs": round(meta.decode_ms, 1),
        "totalMs": round(meta.total_ms, 1),
        "grammar": meta.grammar.mode.value,
        "drafter": meta.speculation.drafter,
        "chunks": [
            {"path": chunk.path, "line": chunk.line, "name": chunk.name} for chunk in project.chunks
        ],
        "chunkTokens": project.tokens,
        "missing": project.missing,
    }
