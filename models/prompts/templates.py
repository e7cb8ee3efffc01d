"""Templates of fill-in-the-middle prompts: each family's tokens and its orders.

Sources: the model cards and repositories of Qwen2.5-Coder, DeepSeek-Coder, StarCoder2 and Granite
Code; for CodeLlama, section 3.1 and the reference implementation; for the orders, "Efficient
Training of Language Models to Fill in the Middle" (2022), where suffix-first is SPM's variant 2.
"""

from dataclasses import dataclass
from enum import StrEnum


class Order(StrEnum):
    """How prefix and suffix follow each other in a prompt; the completion always comes last."""

    PSM = "psm"  # PRE prefix SUF suffix MID
    SUFFIX_FIRST = "suffix-first"  # PRE SUF suffix MID prefix: the completion continues the prefix
    SPM = "spm"  # SUF suffix PRE prefix MID


@dataclass(frozen=True, slots=True)
class Template:
    """How one family of models writes its prompts. Every `str` but `family` is a special token."""

    family: str
    before_prefix: str
    before_suffix: str
    middle: str
    orders: tuple[Order, ...]  # the first is the default
    begin: str | None = None  # begins every prompt, in tokenizers that have it
    ends: tuple[str, ...] = ()  # other tokens that end a completion
    lead: str = ""  # plain text that training put before every prefix
    file: str | None = None  # between files in training: a completion ends there too

    @property
    def required(self) -> tuple[str, ...]:
        """The tokens without which the template cannot be used."""
        return tuple(
            t for t in (self.before_prefix, self.before_suffix, self.middle, self.file) if t
        )

    @property
    def specials(self) -> tuple[str, ...]:
        """Every token that the template knows; each ends a completion."""
        return (*self.required, *(t for t in (self.begin, *self.ends) if t))


# region The families
_FIRST_PSM = (Order.PSM, Order.SUFFIX_FIRST)

QWEN = Template(
    "qwen",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    orders=(Order.SUFFIX_FIRST, Order.PSM, Order.SPM),
    ends=("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_pad|>", "<|repo_name|>"),
    file="<|file_sep|>",
)
DEEPSEEK = Template(
    "deepseek",
    "<｜fim▁begin｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁end｜>",
    orders=_FIRST_PSM,
    begin="<｜begin▁of▁sentence｜>",
    ends=("<｜end▁of▁sentence｜>", "<|EOT|>"),
)
STARCODER2 = Template(
    "starcoder2",
    "<fim_prefix>",
    "<fim_suffix>",
    "<fim_middle>",
    orders=_FIRST_PSM,
    ends=("<|endoftext|>", "<fim_pad>", "<repo_name>"),
    file="<file_sep>",
)
GRANITE = Template(
    "granite",
    "<fim_prefix>",
    "<fim_suffix>",
    "<fim_middle>",
    orders=_FIRST_PSM,
    ends=("<|endoftext|>", "<|end_of_text|>", "<fim_pad>", "<filename>", "<reponame>"),
)
GRANITE4 = Template(
    "granite4",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    orders=_FIRST_PSM,
    ends=("<|end_of_text|>", "<|fim_pad|>", "<|filename|>", "<|reponame|>"),
)
CODELLAMA = Template(
    "codellama",
    "▁<PRE>",
    "▁<SUF>",
    "▁<MID>",
    orders=_FIRST_PSM,
    begin="<s>",
    ends=("</s>", "▁<EOT>"),
    lead=" ",
)
TEMPLATES = (QWEN, STARCODER2, DEEPSEEK, CODELLAMA, GRANITE, GRANITE4)  # stricter ones first
# endregion
