"""From a model's name to an engine: the only place of the service that loads torch.

Imported by every daemon, so the imports that take seconds are inside the function, which runs in
the engine thread after the socket is listening.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...api.uris import path_of
from ...lsp.backend import BackendState, Phase
from ..config import LOOKUP, SERVERS, TEAM, ModelChoice, settings_in
from ..project.place import CHUNKS
from ..server.engine import Engine, MakeEngine, OpenFiles, Report
from ..workspace.json_schemas import schema_rule

if TYPE_CHECKING:
    from ...cache.budget import Budget
    from ...models.loading.loader import Loaded
    from ..context.choice import Choice
    from ..next_edit.model import NextEditModel
    from ..remote.server_thread import MakeFiles
    from ..workspace.project_files import OptionsIn
    from .model_engine import ProjectOf

CPU_CACHE_MIB = 1024
CHUNKS_MIB, CHUNKS_ON_DISK_MIB = 64, 512  # of keys and values, for all files and projects
HOST_SHARE = 4  # of the device's budget, for what gave way on it


def engine_maker(
    choice: Callable[[], ModelChoice], options_in: "OptionsIn", is_host: bool = False
) -> MakeEngine:
    """`choice` is asked at every load, so that a reload sees a changed configuration; `options_in`
    says what is allowed in a workspace. `is_host`: for files that are on other machines; what they
    are shown of their projects comes with them, and nothing of their text is kept on disk."""

    def make(name: str, report: Report, open_files: OpenFiles) -> Engine:
        chosen = choice()
        engine = one(chosen, name or chosen.name, report, open_files, None)
        if not is_host:
            engine.next_edit_model = next_edit_model(chosen, engine)
        return engine

    def one(
        chosen: ModelChoice,
        name: str,
        report: Report,
        open_files: OpenFiles,
        lent: "Choice | None",
    ) -> Engine:
        """`lent`: of what is shown of projects, where another engine has one already."""
        if name.startswith(SERVERS):
            from .remote_engine import RemoteEngine

            shown = None
            if name.startswith(TEAM) and chosen.project_tokens:
                shown = project_choice(open_files)

            def local() -> Engine:
                return one(chosen, chosen.fallback, report, open_files, shown)

            fallback = local if chosen.fallback else None
            files = files_maker(name, chosen.context_tokens)
            return RemoteEngine(
                name, files, fallback, report, open_files, shown, chosen.context_tokens
            )
        if name == LOOKUP:
            from ..workspace.project_files import Library
            from .lookup import LookupEngine

            library = Library(options_in, chosen.workspace_mib * 2**20)
            return LookupEngine(open_files, path_of, library)
        report(BackendState(Phase.LOADING, f"loading {name}", name))
        from ...models.device import come_first
        from ...models.hub.cache_folder import cache_folder
        from ...models.loading.loader import load
        from ..completion.completer import CompleterOptions
        from ..completion.idle_refresh import IdleWork, Refresher
        from .load_progress import ReportedProgress
        from .model_engine import ModelEngine

        progress = ReportedProgress(name, report)
        loaded = load(
            name, chosen.device, chosen.dtype, progress=progress, attention=chosen.attention
        )
        if loaded.model.device.type == "cuda":
            come_first(loaded.model.device)
            loaded.settle()  # compile and record now, not at the first keystroke
        return ModelEngine(
            loaded,
            CompleterOptions(
                context_tokens=chosen.context_tokens,
                project_tokens=chosen.project_tokens,
                memory=cache_folder(),
                remembers=not is_host,
                json_schemas=tuple(schema_rule(text) for text in chosen.json_schemas),
            ),
            path_of,
            budget(chosen, loaded),
            Refresher(IdleWork(chosen.idle_work)),
            allowance(chosen, loaded),
            project_maker(chosen, loaded, open_files, is_host, lent),
            open_files,
        )

    return make


def next_edit_model(choice: ModelChoice, engine: Engine) -> "NextEditModel | None":
    """What is configured, loaded when it is first needed; at once where the engine has the same
    model loaded."""
    if not choice.next_edit:
        return None
    from ...models.loading.loader import load
    from ...models.prompts.next_edit.formats import format_of
    from ..rewriting.configured_model import ConfiguredModel
    from ..rewriting.rewriter import Rewriter
    from ..rewriting.system_message import system_message
    from .model_engine import ModelEngine

    name = choice.next_edit
    shared = engine.loaded if isinstance(engine, ModelEngine) and engine.is_called(name) else None

    def make() -> Rewriter:
        system = system_message(choice.next_edit_system)
        kind = format_of(name, choice.next_edit_format, system)
        loaded = shared or load(name, choice.device, choice.dtype, attention=choice.attention)
        return Rewriter(loaded, kind)

    return ConfiguredModel(name, make, is_quick=shared is not None)


def files_maker(name: str, context_tokens: int) -> "MakeFiles":
    """Of a team's server, or of somebody else's. Raises `InputError` for an address that is none;
    what is made does for a token and a model's family."""
    from ..remote.kept_files import KeptFiles
    from ..remote.team_server import TeamServer, check_url
    from ..remote.token import token

    if name.startswith(TEAM):
        check_url(name)
        return lambda lost: KeptFiles(TeamServer(name, token()), lost)
    from ..foreign.address import Address
    from ..foreign.foreign_files import ForeignFiles

    address = Address.of(name)
    return lambda lost: ForeignFiles(address, token(), context_tokens)


def project_choice(open_files: OpenFiles) -> "Choice":
    """Of what files are shown of their projects, which are on this machine."""
    from ...models.hub.cache_folder import cache_folder
    from ..context.project_choice import ProjectChoice
    from ..project.indexing.indexer import Indexer

    return ProjectChoice(Indexer(cache_folder(), settings_in), path_of, open_files)


def project_maker(
    choice: ModelChoice,
    loaded: "Loaded",
    open_files: OpenFiles,
    is_host: bool = False,
    lent: "Choice | None" = None,
) -> "ProjectOf | None":
    """What shows files the rest of their projects; None where it is switched off, or where all that
    the model can see is needed for the file."""
    if not choice.project_tokens:
        return None
    from ...cache.chunks.spill import DiskChunks
    from ...cache.chunks.store import ChunkStore
    from ...models.device import Aside
    from ...models.hub.cache_folder import cache_folder
    from ..completion.chunk_encoder import ChunkEncoder
    from ..completion.completer import Completer
    from ..context.given_choice import GivenChoice
    from ..context.project_context import ProjectContext

    def make(completer: Completer, aside: Aside) -> ProjectContext:
        kept = cache_folder() / CHUNKS / f"{loaded.files.sha256[:32]}.sqlite3"
        disk = None if is_host else DiskChunks(kept, CHUNKS_ON_DISK_MIB * 2**20)
        return ProjectContext(
            GivenChoice() if is_host else lent or project_choice(open_files),
            ChunkEncoder(loaded.model, completer.sink, aside),
            loaded.tokenizer,
            ChunkStore(CHUNKS_MIB * 2**20, disk),
            completer.project_tokens,
            is_lent=lent is not None,
        )

    return make


def budget(choice: ModelChoice, loaded: "Loaded") -> "Budget":
    """What the caches of all files may take, and where they wait when they give way: in the
    configured folder, or in the host's memory if the device has its own."""
    from ...cache.budget import Budget
    from ...cache.spill import DiskSpill, HostSpill

    most_bytes = allowance(choice, loaded)(0)
    if choice.spill_folder:
        kept_as = f"{loaded.files.sha256} {loaded.plan.form}"  # weights say how keys are kept
        spill = DiskSpill(Path(choice.spill_folder).expanduser(), kept_as)
    elif loaded.model.device.type != "cpu":
        spill = HostSpill(HOST_SHARE * most_bytes)
    else:
        spill = None
    return Budget(most_bytes, spill)


def allowance(choice: ModelChoice, loaded: "Loaded") -> "Callable[[int], int]":
    """How many bytes caches may take that take so many now. On a GPU that follows what other
    programs leave free, at the time when it is asked."""
    from ...models.device import memory_of, polite_bytes

    device = loaded.model.device
    if choice.cache_mib or device.type == "cpu":
        fixed_bytes = (choice.cache_mib or CPU_CACHE_MIB) * 2**20
        return lambda held_bytes: fixed_bytes
    tokens = min(choice.context_tokens, loaded.config.context_tokens)
    least_bytes = tokens * loaded.model.new_arena(0).bytes_per_row

    def found(held_bytes: int) -> int:
        return polite_bytes(memory_of(device), held_bytes, choice.gpu_share, least_bytes)

    return found
