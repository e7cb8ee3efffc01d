"""Edits anywhere in a text, of pieces that tokenizers find hard."""

from random import Random

SNIPPETS = [
    *"abfxyz_ ().,:=0\"'#\t\n",
    *("self", "  ", "\n    ", "\n\n", "12345", "return value", "    def f(self):\n", "\r\n"),
    *(
        "don't",
        "I'll",
        "naïve",
        "日本語",
        "\u3000",
        "😀",
        "\x0c",
        "\x85",
        "<|fim_prefix|>",
        " \n \n",
    ),
]


def random_edit(random: Random, text: str) -> tuple[int, int, str]:
    start = random.randint(0, len(text))
    stop = min(len(text), start + random.choice([0, 0, 0, 1, 1, 2, 7, 60]))
    new = "".join(random.choices(SNIPPETS, k=random.choice([0, 1, 1, 2, 5])))
    return start, stop, new
