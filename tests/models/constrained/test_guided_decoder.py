"""Decoding under a grammar, on a tiny random model that knows nothing of any grammar."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch

from keyturn.api.report import Finish
from keyturn.api.request import GrammarMode, Sampling
from keyturn.cache.sequence import CachedSequence
from keyturn.models.constrained.candidate_guard import CandidateGuard
from keyturn.models.constrained.guide import BROKEN_SUFFIX, DISAGREE, GOES_ON, Guide
from keyturn.models.constrained.guided_decoder import GuidedDecoder
from keyturn.models.constrained.trie_cache import Remembered
from keyturn.models.decoding.decode import Decoder, Interrupted, Stops, Token
from keyturn.models.decoding.sampler import Sampler
from keyturn.models.decoding.stops import Anything, SingleLine, StopRule
from keyturn.models.grammar.languages import open_oracle
from keyturn.models.grammar.oracle import Opening, State, Unconstrained
from keyturn.models.prompts.fim import Prompt, PromptBuilder, PromptOptions
from keyturn.models.speculative.verify import NoGuess
from support.models.leaning import MODEL, TOKENIZER, Leaning

BUILDER = PromptBuilder(TOKENIZER)


DECODER = Decoder(Leaning(), TOKENIZER)
LEFT, RIGHT = '{"a": [1, ', ' 2], "b": {}}\n'


def as_it_is(text: str, finish: Finish) -> str:
    return text


def guide(mode: GrammarMode = GrammarMode.EXACT, left: str = LEFT, right: str = RIGHT) -> Guide:
    return Guide(open_oracle("json").open(left), right, mode, as_it_is)


def generate(
    guide: Guide,
    sampler: Sampler,
    prompt: Prompt | None = None,
    limit: int = 12,
    rule: StopRule | None = None,
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
):
    prompt = prompt or BUILDER.build(LEFT, RIGHT, PromptOptions(heal=False))
    sequence = CachedSequence(MODEL.new_arena())
    stops = Stops(BUILDER.stops, limit, rule or Anything(), deadline)
    logits = DECODER.prefill(sequence, prompt.tokens, stops, lambda: False)
    guided = GuidedDecoder(DECODER, clock)
    tokens = list(guided.generate(sequence, prompt, logits, sampler, stops, lambda: False, guide))
    return tokens, sequence, prompt


def samplers() -> list[Sampler]:
    warm = Sampling(temperature=1.0, top_p=0.9, seed=3)
    return [Sampler(Sampling()), *(Sampler(warm, stream) for stream in range(4))]


@pytest.mark.parametrize("sampler", samplers(), ids=["greedy", *"abcd"])
def test_where_nothing_is_refused_the_tokens_are_those_of_plain_decoding(sampler: Sampler):
    free = Guide(Opening(Unconstrained("a test"), False), "", GrammarMode.EXACT, as_it_is)
    tokens, sequence, prompt = generate(free, sampler)
    stops = Stops(BUILDER.stops, 12)
    plain = list(DECODER.decode(sequence, prompt, sampler, stops, lambda: False))
    assert [(t.id, t.text, t.finish) for t in tokens] == [(t.id, t.text, t.finish) for t in plain]


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("sampler", samplers()[:3], ids=["greedy", *"ab"])
def test_what_only_repeats_the_prompts_end_does_not_count(sampler: Sampler, limit: int):
    prompt = BUILDER.build("def f(some_value): return some_va", "", PromptOptions(heal=True))
    assert prompt.pending
    free = Guide(Opening(Unconstrained("a test"), False), "", GrammarMode.EXACT, as_it_is)
    tokens, *_ = generate(free, sampler, prompt, limit)
    sequence = CachedSequence(MODEL.new_arena())
    plain = list(
        DECODER.decode(sequence, prompt, sampler, Stops(BUILDER.stops, limit), lambda: False)
    )
    assert [(t.id, t.finish) for t in tokens] == [(t.id, t.finish) for t in plain]
    said = b"".join(TOKENIZER.token_bytes(token.id) for token in tokens)
    assert len(said) > len(prompt.pending)


@pytest.mark.parametrize(
    "mode", [GrammarMode.EXACT, GrammarMode.ASAP, GrammarMode.APPROXIMATE, GrammarMode.GCD]
)
def test_a_model_without_sense_still_writes_what_the_grammar_allows(mode: GrammarMode):
    refused = kept = 0
    for right in (RIGHT, "]}\n"):
        for sampler in samplers():
            used = guide(mode, right=right)
            tokens, _, _ = generate(used, sampler)
            text = "".join(token.text for token in tokens)
            refused += used.use.refused
            if used.use.reason == DISAGREE:
                continue
            kept += bool(text)
            state = open_oracle("json").open(LEFT).state.feed(text.encode())
            assert state is not None, text
            if tokens[-1].finish is Finish.EOS and text and used.use.reason != BROKEN_SUFFIX:
                json.loads(LEFT + text + right)
    assert refused > 0
    assert kept > 0


def test_the_metadata_says_what_was_done():
    used = guide(GrammarMode.EXACT)
    generate(used, Sampler(Sampling(temperature=1.0, seed=1)))
    assert used.use.refused > 0
    assert used.use.restarts > 0
    assert used.use.mode in (
        GrammarMode.EXACT,
        GrammarMode.APPROXIMATE,
        GrammarMode.GCD,
        GrammarMode.OFF,
    )
    broken = guide(left='{"a": ]')
    assert not broken.constrains
    assert broken.use.mode is GrammarMode.OFF
    assert broken.use.reason == "the line at the cursor does not parse as it stands"


def test_a_line_may_end_only_where_the_rest_of_it_fits():
    judge = guide(right=" 2]\n]}\n")
    assert judge.may_end("7,", Finish.LINES)
    assert not judge.may_end("7", Finish.LINES)
    assert not judge.may_end("7,", Finish.EOS)  # the model's own end answers for all lines
    assert judge.may_end("[", Finish.EOS)
    assert judge.may_end("", Finish.EOS)  # nothing is always possible
    assert judge.use.reason == ""


def test_a_suffix_that_nothing_fits_is_trusted_as_far_as_it_can_be_read():
    judge = guide(right=" 2],\n]]]]\n")
    assert judge.may_end("7,", Finish.EOS)
    assert judge.use.reason == BROKEN_SUFFIX
    assert not judge.may_end("7", Finish.EOS)  # its first line still counts


def test_a_text_cut_short_ends_with_its_longest_fitting_line():
    judge = guide(left="[", right="]\n")
    assert judge.longest("1,\n2\n,3,") == "1,\n2"
    assert judge.longest("1, 2,") == "1, 2"  # no line fits: most of its words
    assert judge.longest("1, 2 {") == "1, 2"
    assert judge.longest("{{") == "{{"  # nothing fits: all of it
    assert judge.may_be_cut("1, 2 {")
    assert not judge.may_be_cut("{{")
    inside = guide(left="[", right="0]\n")
    assert inside.longest("1, 2") == "1,"  # not 20


def test_lines_last_if_no_cut_of_what_goes_on_behind_them_takes_them_away():
    judge = Guide(open_oracle("python").open("def f(i):\n    "), "", GrammarMode.EXACT, as_it_is)
    body = "i = 5\n    while i * i <= 9:"
    assert judge.lasting(body) == "i = 5"
    assert judge.lasting("while i * i <= 9:") == ""
    assert judge.lasting(body + "\n        i += 1") == body + "\n        i += 1"
    for cut in (judge.longest, judge.kept):
        assert cut(body + "\n        if (").startswith(judge.lasting(body))


def test_a_greedy_completion_that_says_too_much_keeps_its_lines_that_fit():
    right = "\n        q()\n    return 2\n"
    judge = Guide(open_oracle("python").open("def f(q):\n"), right, GrammarMode.EXACT, as_it_is)
    lines, more = "    if q:\n        return 1", "\n\n    return 3"
    assert not judge.may_end(lines + more, Finish.EOS)
    assert judge.may_end(lines + more, Finish.EOS, or_lines=True)
    assert judge.kept(lines + more) == lines
    assert judge.kept(lines) == lines
    assert not judge.may_end(lines + "\n    return (", Finish.EOS, or_lines=True)  # may be mended
    assert not judge.may_end(lines + more * 4, Finish.EOS, or_lines=True)  # too little would stay


JOIN = "SELECT u.name, COUNT(o.id)\nFROM users u\nJOIN orders o ON "
GROUP, MORE = "\nGROUP BY u.name;\n", "u.id = 1 ORDER BY u.id;"
IF, RETURN = "function f(a) {\n  if (a) ", "\n  return null;\n}\n"


@pytest.mark.parametrize(
    ("language", "left", "text", "right", "shown", "reason"),
    [
        ("sql", JOIN, "u.id = o.id GROUP BY u.name;", GROUP, "u.id = o.id", ""),
        ("sql", JOIN, "u.id = 1\nAND 1 GROUP BY u.name;", GROUP, "u.id = 1\nAND 1", ""),
        ("sql", JOIN, "u.id = o.id", GROUP, "u.id = o.id", ""),
        ("sql", JOIN, MORE, GROUP, MORE, GOES_ON),
        ("javascript", "const all = [\n  1, ", "2 ];", "\n];\n", "2", ""),  # also what is short
        ("javascript", IF, "return null;", RETURN, "return null;", ""),  # code that may stay
        ("javascript", IF, "{ f(); }", "\n}\n", "{ f(); }", ""),
        ("shellscript", "for i in ", "1 2", "", "1 2", GOES_ON),  # nothing is there to be blamed
        ("shellscript", "for i in ", "1; do ls; done", "", "1; do ls; done", ""),
    ],
)
def test_what_the_lines_below_refuse_ends_where_it_begins_to_say_them(
    language: str, left: str, text: str, right: str, shown: str, reason: str
):
    opening = open_oracle(language).open(left)
    line = left[left.rfind("\n") + 1 :]
    judge = Guide(opening, right, GrammarMode.EXACT, as_it_is, before=line)
    finish = Finish.EOS if "\n" in text else Finish.LINES
    assert judge.may_end(text, finish, or_lines=True)
    assert (judge.kept(text), judge.use.reason) == (shown, reason)


def test_a_completion_is_enough_where_the_lines_below_can_follow_it():
    below = "\n        return 1\n    return 2\n"
    judge = Guide(open_oracle("python").open("def f(x):\n"), below, GrammarMode.EXACT, as_it_is)
    assert judge.enough("    if x:")
    assert judge.enough("    y = x\n    if y:")
    assert judge.enough("")
    assert not judge.enough("    y = x")


def test_in_the_middle_of_a_line_one_line_is_enough():
    below = " + 1\n        return 1\n    return 2\n"
    judge = Guide(open_oracle("python").open("def f(x):\n    "), below, GrammarMode.EXACT, as_it_is)
    assert judge.enough("y = x")


def test_at_the_end_of_a_file_everything_is_enough():
    judge = Guide(open_oracle("python").open("def f(x):\n"), "\n", GrammarMode.EXACT, as_it_is)
    assert judge.enough("    if x:")


def test_what_goes_on_in_vain_is_shown_as_far_as_the_lines_below_can_follow():
    below = "\n        return 1\n    return 2\n"
    opening = open_oracle("python").open("def f(x):\n")
    judge = Guide(opening, below, GrammarMode.EXACT, as_it_is)
    assert not judge.enough("    y = x")
    text = "    y = x\n    if y:\n        z = 1\n    a = 1\n    b = 2\n    c = 3"
    assert judge.may_end(text, Finish.LINES)
    assert judge.kept(text) == "    y = x\n    if y:\n        z = 1"


def test_what_goes_on_in_vain_and_never_fits_is_shown_up_to_where_it_could_have_ended_first():
    below = "\n        return 1\n    return 2\n"
    opening = open_oracle("python").open("def f(x):\n")
    judge = Guide(opening, below, GrammarMode.EXACT, as_it_is)
    assert not judge.enough("    y = x")
    text = "    y = x\n    z = 1\n    a = 1"
    assert judge.may_end(text, Finish.LINES)
    assert judge.kept(text) == judge.longest(text) == "    y = x"
    fresh = Guide(opening, below, GrammarMode.EXACT, as_it_is)
    assert not fresh.may_end(text, Finish.LINES)  # nobody has asked whether it was enough


def test_a_line_that_begins_a_block_may_be_the_last_of_a_file():
    def judge(line: str, right: str = "") -> Guide:
        state = open_oracle("c").open(line)
        return Guide(state, right, GrammarMode.EXACT, as_it_is, before=line)

    assert judge("int main(").may_end("void) {", Finish.LINES)
    assert not judge("int main(").may_end("void) { f(", Finish.LINES)
    assert not judge("int main(").may_end("void) {", Finish.EOS)
    assert not judge("int x = ").may_end("(1", Finish.LINES)


@pytest.mark.parametrize(
    ("language", "left", "text"),
    [
        ("javascript", "function g() {\n  x = ", "a();"),
        ("go", "package a\nfunc f() {\n\tfor {\n\t\t", "a()\n\t\tb()"),
        ("typescript", "function f() {\n  switch (x) {\n    ", "case 1:\n      return 2;\n  }"),
        ("json", '{"a": [', "1,\n2,"),
    ],
)
def test_whole_lines_may_be_the_last_of_a_file_inside_what_was_open_before(
    language: str, left: str, text: str
):
    line = left.rpartition("\n")[2]
    judge = Guide(open_oracle(language).open(left), "", GrammarMode.EXACT, as_it_is, before=line)
    assert judge.may_end(text, Finish.LINES)
    assert not judge.may_end(text + "(", Finish.LINES)  # opened here, so closed here
    assert not judge.may_end(text, Finish.EOS)
    assert (judge.kept(text), judge.use.reason) == (text, GOES_ON)


def test_a_block_that_the_cursor_s_line_opens_is_closed_at_the_end_of_a_file_too():
    left = "if (!response.ok) {"
    judge = Guide(open_oracle("javascript").open(left), "", GrammarMode.EXACT, as_it_is, 0.0, left)
    assert not judge.may_end("\n  throw 1;", Finish.LINES)
    assert judge.may_end("\n  throw 1;\n}", Finish.LINES)


def test_a_text_cut_short_ends_before_a_comma_for_what_is_not_there():
    judge = guide(left='{"a": 1, ', right="}\n")
    assert judge.may_be_cut('"b": 2,\n"c": [3, 4')
    assert judge.longest('"b": 2,\n"c": [3, 4') == '"b": 2'


def test_tokens_held_back_for_healing_are_repeated_under_the_grammar():
    left = '{"a": tru'
    prompt = BUILDER.build(left, "}", PromptOptions(heal=True))
    assert prompt.pending
    for sampler in samplers():
        used = guide(left=left, right="}")
        tokens, _, _ = generate(used, sampler, prompt)
        if used.use.reason == DISAGREE:
            continue
        text = "".join(token.text for token in tokens)
        assert open_oracle("json").open(left).state.feed(text.encode()) is not None, text


def test_tokens_are_taken_byte_for_byte_and_decided_once():
    pieces = {0: b'"\xc3', 1: b'\xa9"', 2: b"}", 3: b"", 4: b"\xa9"}
    fed: list[bytes] = []

    @dataclass(frozen=True)
    class Watched:
        state: State

        def feed(self, data: bytes) -> "Watched | None":
            fed.append(data)
            after = self.state.feed(data)
            return None if after is None else Watched(after)

        def can_finish(self) -> bool:
            return self.state.can_finish()

        def reach(self, pieces: tuple[str, ...], finish: bool) -> int:
            return self.state.reach(pieces, finish)

    opening = open_oracle("json").open("[")
    watched = Guide(Opening(Watched(opening.state), True), "]\n", GrammarMode.EXACT, as_it_is)
    nothing_pending = BUILDER.build("", "", PromptOptions(heal=False))
    places = CandidateGuard(watched, nothing_pending, Anything(), pieces.__getitem__)
    start = places.start()
    half = places.take(start, 0)
    assert half is not None
    assert (half.text, half.partial) == ('"', b"\xc3")
    whole = places.take(half, 1)
    assert whole is not None
    assert whole.text == '"é"'
    assert places.may_stop(whole)
    assert places.take(start, 2) is None
    assert places.take(start, 3) is None  # a special token has no bytes
    assert places.take(start, 4) is None  # no character begins like that
    before = len(fed)
    assert places.take(start, 0) is half
    assert places.take(start, 2) is None
    assert len(fed) == before


def test_a_stop_rule_is_the_candidates_own():
    rule = SingleLine("", "")
    tokens, _, _ = generate(guide(), Sampler(Sampling()), rule=rule)
    assert "\n" not in "".join(token.text for token in tokens)
    assert rule.feed("x") == ("x", False)  # it was copied, not used up


def test_the_deadline_and_a_cancel_are_seen_between_steps():
    with pytest.raises(Interrupted):
        generate(guide(), Sampler(Sampling()), deadline=time.monotonic() - 1)
    prompt = BUILDER.build(LEFT, RIGHT, PromptOptions(heal=False))
    sequence = CachedSequence(MODEL.new_arena())
    stops = Stops(BUILDER.stops, 12)
    logits = DECODER.prefill(sequence, prompt.tokens, stops, lambda: False)
    with pytest.raises(Interrupted):
        list(GuidedDecoder(DECODER).generate(
            sequence, prompt, logits, samplers()[1], stops, lambda: True, guide()
        ))  # fmt: skip


def test_logits_after_a_restart_are_those_of_a_fresh_prefill():
    seen: list[tuple[tuple[int, ...], torch.Tensor]] = []

    class Watching(NoGuess):
        at: tuple[int, ...] = ()

        def draft(self, context, budget):
            self.at = (*context.prompt, *context.path)
            return super().draft(context, budget)

        def verified(self, verified, forward_ms):
            if self.at:
                seen.append((self.at, verified.logits[0]))
            self.at = ()

    prompt = BUILDER.build(LEFT, RIGHT, PromptOptions(heal=False))
    sequence = CachedSequence(MODEL.new_arena())
    stops = Stops(BUILDER.stops, 10)
    logits = DECODER.prefill(sequence, prompt.tokens, stops, lambda: False)
    sampler = Sampler(Sampling(temperature=1.0, seed=9))
    list(GuidedDecoder(DECODER).generate(
        sequence, prompt, logits, sampler, stops, lambda: False, guide(), guesser=Watching()
    ))  # fmt: skip
    assert len(seen) >= 5
    for tokens, got in seen:
        fresh = DECODER.prefill(CachedSequence(MODEL.new_arena()), tokens, stops, lambda: False)
        torch.testing.assert_close(got, fresh, atol=1e-4, rtol=1e-4)


def test_restarts_give_way_as_the_deadline_draws_near():
    now = time.monotonic()
    used: dict[float, set[GrammarMode]] = {0.0: set(), 0.7: set(), 0.9: set()}
    for share, modes in used.items():
        for stream in range(6):
            times = iter([now])  # when the completion begins; later it is `share` of the way
            late = now + 1_000 * share
            tried = guide()
            sampler = Sampler(Sampling(temperature=1.0, seed=1), stream)
            generate(tried, sampler, deadline=now + 1_000, clock=partial(next, times, late))
            if tried.use.refused and tried.use.reason != DISAGREE:
                modes.add(tried.use.mode)
    assert used[0.0] & {GrammarMode.EXACT, GrammarMode.APPROXIMATE}
    assert GrammarMode.GCD not in used[0.0]
    assert GrammarMode.APPROXIMATE in used[0.7] <= {GrammarMode.APPROXIMATE, GrammarMode.GCD}
    assert used[0.9] == {GrammarMode.GCD}


def test_an_interrupted_sample_gives_what_there_is():
    prompt = BUILDER.build(LEFT, RIGHT, PromptOptions(heal=False))
    sequence = CachedSequence(MODEL.new_arena())
    stops = Stops(BUILDER.stops, 40)
    logits = DECODER.prefill(sequence, prompt.tokens, stops, lambda: False)
    looks, tokens = iter(range(7)), []
    sampler = Sampler(Sampling(1.0, top_p=0.5, seed=5))
    generated = GuidedDecoder(DECODER).generate(
        sequence, prompt, logits, sampler, stops, lambda: next(looks, None) is None, guide()
    )
    with pytest.raises(Interrupted):
        tokens.extend(generated)
    assert all(token.finish is None for token in tokens)
    text = "".join(token.text for token in tokens)
    assert text
    assert open_oracle("json").open(LEFT).state.feed(text.encode()) is not None


def test_typing_along_a_sample_asks_the_model_for_nothing_twice():
    left, prompt = "[1", BUILDER.build("[1", RIGHT, PromptOptions(heal=False))

    def sampled(stream: int) -> tuple[Remembered, Sampler, list[Token], int]:
        sampler = Sampler(Sampling(temperature=0.7, top_p=0.9, seed=3), stream)
        first = Guide(open_oracle("json").open(left), RIGHT, GrammarMode.EXACT, as_it_is)
        tokens, _, _ = generate(first, sampler, prompt, limit=6)
        return first.remembered, sampler, tokens, first.use.refused

    # one that meets no refusal draws the same again
    remembered, sampler, tokens = next(
        (memory, sampler, tokens)
        for memory, sampler, tokens, refused in map(sampled, range(20))
        if len(tokens) == 6 and refused == 0
    )
    typed = tokens[:2]
    left += "".join(token.text for token in typed)
    moved = replace(prompt, tokens=(*prompt.tokens, *(token.id for token in typed)))
    calls = []
    for memory in (remembered, Remembered()):
        opening = open_oracle("json").open(left)
        again = Guide(opening, RIGHT, GrammarMode.EXACT, as_it_is, remembered=memory)
        rest, _, _ = generate(again, sampler, moved, limit=4)
        assert [t.id for t in rest] == [t.id for t in tokens[2:6]]
        assert again.trie is not None
        assert again.trie.root.state.text == ""
        calls.append(again.use.model_calls)
    assert calls[0] == 0 < calls[1]


def test_another_prompt_or_other_sampling_begins_anew():
    sampler = Sampler(Sampling(temperature=1.0, top_p=0.9, seed=3), 1)
    remembered = Remembered()
    tries = []
    for heat, left in ((1.0, LEFT), (1.0, LEFT + "2"), (0.9, LEFT + "2")):
        sampler = Sampler(Sampling(temperature=heat, top_p=0.9, seed=3), 1)
        used = Guide(
            open_oracle("json").open(left),
            RIGHT,
            GrammarMode.EXACT,
            as_it_is,
            remembered=remembered,
        )
        prompt = BUILDER.build("[[" + left, RIGHT, PromptOptions(heal=False))
        generate(used, sampler, prompt, limit=3)
        tries.append(used.trie)
    assert len({id(trie) for trie in tries}) == 3


@pytest.mark.parametrize("sampler", samplers(), ids=["greedy", *"abcd"])
@pytest.mark.parametrize("late", [0, 999])
def test_a_completion_for_which_no_end_fits_ends_with_a_reason(sampler: Sampler, late: int):
    now = time.monotonic()
    for rule in (Anything(), SingleLine("", ""), AtOnce()):
        times = iter([now])
        nothing = Guide(
            open_oracle("json").open(LEFT), RIGHT, GrammarMode.EXACT, lambda text, finish: "]]]]"
        )
        clock = partial(next, times, now + late)
        tokens, _, _ = generate(nothing, sampler, rule=rule, deadline=now + 1_000, clock=clock)
        ends = [token.finish is not None for token in tokens]
        assert ends == [False] * (len(tokens) - 1) + [True]


class AtOnce:
    """Ends after whatever comes first."""

    def feed(self, text: str) -> tuple[str, bool]:
        return text, True


TRIED = "def f(a):\n    try:\n        g()\n    "


def python_guide(left: str, right: str, before: str = "") -> Guide:
    opening = open_oracle("python").open(left)
    return Guide(opening, right, GrammarMode.EXACT, as_it_is, before=before)


def test_the_code_below_can_follow_a_block_and_not_its_header_alone() -> None:
    between = python_guide(TRIED, "\n    return a\n")
    assert not between.follows("except E:")
    assert between.follows("except E:\n        h()")


def test_a_completion_could_end_behind_every_line_that_the_code_below_can_follow() -> None:
    between = python_guide(TRIED, "\n    return a\n")
    text = "except E:\n        h()\n        i()\n    else:\n        j()"
    ends = [text.index(end) + len(end) for end in ("h()", "i()")]
    assert between.ends(text) == tuple(ends)
    assert python_guide(TRIED, "\n    return a\n").ends("except E: h()") == ()


def test_at_the_end_of_a_file_a_completion_may_end_with_a_header() -> None:
    at_end = python_guide("x = 1\n", "")
    assert at_end.ends("for a in x:\n    g(a)") == (len("for a in x:"),)
    assert not at_end.follows("for a in (x,")


def test_no_completion_is_cut_where_only_another_one_could_have_ended():
    between = python_guide("x = ", "\ny = 2\n")
    assert not between.enough("[")  # the first line of another completion
    text = "[a for a in b] +\nc d"
    assert between.kept(text) == text
    assert between.kept("[\n    a b") == "["
