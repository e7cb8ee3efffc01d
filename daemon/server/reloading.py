"""Loading the model again when its files, or the settings for it, have changed on disk."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from ..config import LOOKUP, USER_FILE, Config, user_folder_of
from ..workspace.watch import Watcher

logger = logging.getLogger(__name__)


def model_watcher(
    reread: Callable[[], Config],
    reload: Callable[[], object],
    learn: Callable[[bool], object] = bool,
) -> Watcher:
    """To be started: calls `reload` when the model's files, or the settings for it, have changed,
    and tells `learn` what that setting is. `reread` gives the configuration as it is on disk now.
    """
    config = reread()
    present = _what_was_loaded(config)

    def changed() -> None:
        nonlocal present
        config = reread()
        found = _what_was_loaded(config)
        if config.whole:
            learn(config.daemon.learn)
        if found == present:
            return
        if not config.whole:  # somebody is writing it, or wrote it wrong: what counted counts
            logger.warning("%s; going on as before", "; ".join(config.problems))
            return
        present = found
        for problem in config.problems:
            logger.warning("%s", problem)
        logger.info("the model or its settings have changed; loading it again")
        watcher.watch(_watched(config))
        reload()

    watcher = Watcher(_watched(config), changed)
    return watcher


def _watched(config: Config) -> list[Path]:
    return [user_folder_of(os.environ) / USER_FILE, *_model_files(config)]


def _model_files(config: Config) -> list[Path]:
    """The model's, if it is one of the user's own."""
    own = Path(config.model.name).expanduser()
    return [own] if own.exists() else []


def _what_was_loaded(config: Config) -> tuple[object, ...]:
    """Different whenever a model ought to be loaded again."""
    # Without a model, files are read from disk, and which ones must not be is a setting as well.
    secret = config.completion.disabled_globs if config.model.name == LOOKUP else ()
    return config.model, secret, _stamps(_model_files(config))


def _stamps(paths: list[Path]) -> list[tuple[str, int, int]]:
    """Different whenever one of the files, or one in the folders, is."""
    files = [each for path in paths for each in (path.iterdir() if path.is_dir() else [path])]
    return [
        (str(each), each.stat().st_mtime_ns, each.stat().st_size)
        for each in sorted(files)
        if each.is_file()
    ]
