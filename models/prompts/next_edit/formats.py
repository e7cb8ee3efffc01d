"""The format of a model, by its name or by what the user says."""

from ...errors import UnsupportedModel
from .instinct import Instinct
from .names import AUTO, FORMATS
from .question import Format
from .sweep import Sweep
from .zeta import Zeta

NAMES = {"sweep-next-edit": "sweep", "zeta": "zeta", "instinct": "instinct"}
OTHERS = ("zeta-2", "zeta2")  # of another family, in another format


def format_of(model: str, chosen: str = AUTO, system: str = "") -> Format:
    """What `chosen` says, or else what is in the model's name. `system`: the text of Instinct's
    system message. Raises `UnsupportedModel` where that says nothing, or not all."""
    name = _named(model) if chosen == AUTO else chosen
    match name:
        case "sweep":
            return Sweep()
        case "zeta":
            return Zeta()
        case "instinct":
            if not system.strip():
                raise UnsupportedModel(
                    "Instinct is asked with a system message: put it into a file, and name that as"
                    " model.next_edit_system"
                )
            return Instinct(system)
        case _:
            raise UnsupportedModel(
                f"{model} is not known as a next-edit model: say model.next_edit_format ="
                f" {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            )


def _named(model: str) -> str:
    low = model.lower().replace("_", "-")
    if any(other in low for other in OTHERS):
        return ""
    return next((name for part, name in NAMES.items() if part in low), "")
