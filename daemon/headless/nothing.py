"""The reason why nothing came, in one line for whoever asked."""

from typing import Any

from ..config import LOOKUP


def why_nothing(answer: dict[str, Any]) -> str:
    """`answer` as `--json` prints it."""
    if answer["model"] == LOOKUP:
        return "what is left of the cursor stands nowhere else in the project"
    if answer["tokens"]["prompt"] == 0:
        return "the file says nothing yet"
    reasons = {
        "deadline": "decoding ran into its deadline: --timeout gives it another",
        "cancelled": "the request was cancelled",
        "tokens": "nothing worth showing within --max-tokens",
    }
    why = reasons.get(answer["finish"], "the model has nothing worth showing here")
    grammar = answer["grammar"]["reason"]
    return f"{why} (grammar: {grammar})" if grammar else why
