"""Engines around a tiny random model: no sense, but by the rules."""

from functools import cache
from pathlib import Path

from keyturn.api.report import Completion
from keyturn.api.request import CompletionOptions, CompletionRequest
from keyturn.api.uris import path_of
from keyturn.cache.budget import Budget
from keyturn.cache.plan import Repair
from keyturn.daemon.completion.completer import Completer, CompleterOptions
from keyturn.daemon.completion.idle_refresh import IdleWork, Refresher
from keyturn.daemon.engines.model_engine import ModelEngine
from keyturn.daemon.file_text import FileText
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.jobs import FileKey
from keyturn.models.hub.download import ModelFiles
from keyturn.models.loading.loader import Loaded
from keyturn.models.nn.kernels import KernelPlan
from support.daemon.small_engine import job_for
from support.models.tiny import oracle, ours
from support.models.tiny_tokenizer import tiny_tokenizer


@cache
def tiny_loaded(context_tokens: int = 2048) -> Loaded:
    tokenizer = tiny_tokenizer()
    reference = oracle(
        "qwen2", vocab_size=tokenizer.vocabulary, max_position_embeddings=context_tokens
    )
    model = ours(reference)
    files = ModelFiles("tiny", Path("tiny"), "0" * 64)
    return Loaded("tiny", model, tokenizer, model.config, KernelPlan.floating("float32"), files)


def tiny_engine(**options) -> Completer:
    return Completer(tiny_loaded(), CompleterOptions(**options))


def bytes_per_token() -> int:
    """Of a file's cache."""
    return tiny_loaded().model.new_arena(0).bytes_per_row


def model_engine(files: float, work: IdleWork = IdleWork.FULL) -> ModelEngine:
    """The service's, with a budget for so many files of a whole context of 512 tokens."""
    most = Budget(int(files * 512 * bytes_per_token()))
    options = CompleterOptions(context_tokens=512, repair=Repair(exact=0))
    return ModelEngine(tiny_loaded(), options, path_of, most, Refresher(work, lambda: False))


def ask(engine: ModelEngine, name: str, text: str, offset: int) -> list[Completion]:
    uri = f"file:///{name}.py"
    file = File(FileKey(1, uri), "python", 1, FileText.of(text))
    request = CompletionRequest(uri, 1, offset, options=CompletionOptions(max_tokens=4))
    return engine.complete(file, job_for(request, file.key))
