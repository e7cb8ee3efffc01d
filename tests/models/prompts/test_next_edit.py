"""Next-edit models are asked byte for byte as their makers write it down."""

import pytest

from keyturn.models.errors import UnsupportedModel
from keyturn.models.prompts.next_edit.formats import format_of
from keyturn.models.prompts.next_edit.instinct import Instinct
from keyturn.models.prompts.next_edit.question import (
    Control,
    Format,
    Piece,
    Question,
    RecentChange,
    Rows,
)
from keyturn.models.prompts.next_edit.sweep import Sweep
from keyturn.models.prompts.next_edit.zeta import Zeta

LINES = (
    "def greet(person):",
    "    print(name)",
    "",
    "def main():",
    "    greet('you')",
)
CHANGE = RecentChange(
    "greeting.py",
    line=0,
    above=(),
    before=("def greet(name):",),
    after=("def greet(person):",),
    below=("    print(name)", "", "def main():"),
)
SYSTEM = "You predict edits."


def question(kind: Format, row: int = 0, column: int = 16) -> Question:
    window = kind.window(LINES, row)
    original = ("def greet(name):", *LINES[1:])[window.start : window.stop]
    return Question("greeting.py", (CHANGE,), LINES, window, original, row, column)


def text(pieces: list[Piece]) -> str:
    return "".join(pieces)


def test_sweep_is_asked_with_what_was_and_is_in_its_file_format() -> None:
    prompt = Sweep().prompt(question(Sweep()))
    assert text(prompt) == (
        "<|file_sep|>greeting.py.diff\n"
        "original:\n"
        "def greet(name):\n"
        "    print(name)\n"
        "updated:\n"
        "def greet(person):\n"
        "    print(name)\n"
        "<|file_sep|>original/greeting.py\n"
        "def greet(name):\n"
        "    print(name)\n"
        "\n"
        "def main():\n"
        "    greet('you')\n"
        "<|file_sep|>current/greeting.py\n"
        "def greet(person):\n"
        "    print(name)\n"
        "\n"
        "def main():\n"
        "    greet('you')\n"
        "<|file_sep|>updated/greeting.py"
    )
    controls = [piece for piece in prompt if isinstance(piece, Control)]
    assert controls == ["<|file_sep|>"] * 4


def test_sweeps_windows_have_21_lines() -> None:
    many = ["x"] * 100
    assert Sweep().window(many, 50) == Rows(40, 61)
    assert Sweep().window(many, 0) == Rows(0, 11)
    assert Sweep().window(many, 99) == Rows(89, 100)


def test_zeta_is_asked_with_diffs_and_a_marked_region() -> None:
    assert text(Zeta().prompt(question(Zeta()))) == (
        "### Instruction:\n"
        "You are a code completion assistant and your task is to analyze user edits and then"
        " rewrite an excerpt that the user provides, suggesting the appropriate edits within the"
        " excerpt, taking into account the cursor location.\n"
        "\n"
        "### User Edits:\n"
        "\n"
        'User edited "greeting.py":\n'
        "```diff\n"
        "@@ -1,4 +1,4 @@\n"
        "-def greet(name):\n"
        "+def greet(person):\n"
        "     print(name)\n"
        " \n"
        " def main():\n"
        "\n"
        "```\n"
        "\n"
        "### User Excerpt:\n"
        "\n"
        "```greeting.py\n"
        "<|start_of_file|>\n"
        "<|editable_region_start|>\n"
        "def greet(person<|user_cursor_is_here|>):\n"
        "    print(name)\n"
        "\n"
        "def main():\n"
        "    greet('you')\n"
        "<|editable_region_end|>\n"
        "```\n"
        "\n"
        "### Response:\n"
    )


def test_zetas_region_grows_by_lines_to_350_tokens_and_shows_150_more() -> None:
    kind = Zeta()
    lines = ["x" * 89] * 100  # 29 tokens each
    window = kind.window(lines, 50)
    assert window == Rows(43, 57)  # 13 lines beside the cursor's: the first that reaches 350 is in
    asked = Question("a.py", (), tuple(lines), window, (), 50, 0)
    excerpt = text(kind.prompt(asked)).partition("```a.py\n")[2]
    above, _, rest = excerpt.partition("<|editable_region_start|>\n")
    below = rest.partition("<|editable_region_end|>\n")[2].partition("\n```")[0]
    assert (above.count("\n"), below.count("\n") + 1) == (3, 3)
    assert "<|start_of_file|>" not in excerpt


def test_instinct_is_asked_as_a_chat_with_the_newest_change_first() -> None:
    kind = Instinct(SYSTEM)
    older = RecentChange("other.py", 4, ("a",), (), ("b",), ())
    asked = question(kind)
    asked = Question(
        asked.path, (older, CHANGE), LINES, asked.window, asked.original, asked.row, asked.column
    )
    prompt = kind.prompt(asked)
    assert text(prompt) == (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n"
        "<|im_start|>user\n"
        "Reference the user excerpt, user edits, and the snippets to understand the developer's"
        " intent. Update the editable region of the user excerpt by predicting and completing the"
        " changes they would have made next. This may be a deletion, addition, or modification of"
        " code.\n"
        "\n"
        "### Context:\n"
        "\n\n\n\n"
        "### User Edits:\n"
        "\n"
        'User edited file "greeting.py"\n'
        "\n"
        "```diff\n"
        "@@ -1,4 +1,4 @@\n"
        "-def greet(name):\n"
        "+def greet(person):\n"
        "     print(name)\n"
        " \n"
        " def main():\n"
        "```\n"
        "\n"
        'User edited file "other.py"\n'
        "\n"
        "```diff\n"
        "@@ -4,1 +4,2 @@\n"
        " a\n"
        "+b\n"
        "```\n"
        "\n"
        "### User Excerpt:\n"
        '"greeting.py"\n'
        "\n"
        "<|editable_region_start|>\n"
        "def greet(person<|user_cursor_is_here|>):\n"
        "    print(name)\n"
        "\n"
        "def main():\n"
        "    greet('you')\n"
        "<|editable_region_end|><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("kind", [Sweep(), Zeta(), Instinct(SYSTEM)], ids=lambda kind: kind.name)
def test_an_answer_is_read_as_the_lines_it_says(kind: Format) -> None:
    lines = "def greet(person):\n    print(person)"
    assert kind.written(kind.opening + lines + "\n", is_over=True) == (lines, True)
    assert kind.written(kind.opening + lines, is_over=True) == (lines, True)
    assert kind.written(kind.opening + lines, is_over=False) == (lines, False)
    assert kind.written(kind.opening + lines + "\n\n", is_over=True) == (lines + "\n", True)


@pytest.mark.parametrize("kind", [Zeta(), Instinct(SYSTEM)], ids=lambda kind: kind.name)
def test_an_answer_ends_where_the_region_does_and_has_no_cursor(kind: Format) -> None:
    answer = (
        "<|editable_region_start|>\na<|user_cursor_is_here|>b\nc\n<|editable_region_end|>\n```\n"
    )
    assert kind.written(answer, is_over=False) == ("ab\nc", True)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("sweepai/sweep-next-edit-0.5B", "sweep"),
        ("/models/Sweep_Next_Edit-1.5b.q8_0.v2.gguf", "sweep"),
        ("zed-industries/zeta", "zeta"),
        ("continuedev/instinct", "instinct"),
    ],
)
def test_the_format_is_recognised_by_the_models_name(model: str, name: str) -> None:
    assert format_of(model, system=SYSTEM).name == name


@pytest.mark.parametrize("model", ["zed-industries/zeta-2", "qwen2.5-coder-0.5b", ""])
def test_a_model_whose_name_says_nothing_needs_its_format_to_be_said(model: str) -> None:
    with pytest.raises(UnsupportedModel, match="next_edit_format"):
        format_of(model)
    assert format_of(model, "sweep").name == "sweep"


def test_instinct_needs_its_system_message() -> None:
    with pytest.raises(UnsupportedModel, match="next_edit_system"):
        format_of("continuedev/instinct")
