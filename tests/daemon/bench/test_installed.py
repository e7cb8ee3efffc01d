"""Every benchmark where the package is installed and the checkout is not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
TRACE = ROOT / "tests" / "data" / "editing-traces" / "sveltecomponent.json.gz"
SOURCE = ROOT / "daemon" / "bench" / "typing.py"
TINY = {
    "decode": "--context 64 --new-tokens 4 --rounds 1",
    "edit": "--context 256 --edits 2 --slow-edits 2",
    "grammar": "--lines 200 --edits 2 --places 2 --new-tokens 4",
    "lsp": "--requests 20 --starts 1",
    "project": f"--folder {ROOT / 'api'} --cases 2",
    "speculate": "--context 96 --threads 1 --completions 1 --new-tokens 4",
    "traces": f"--context 256 --completions 2 --idle 0 {TRACE}",
    "typing": f"--stretches 1 --pause-seconds 0.01 {SOURCE}",
    "worth": f"--stretches 1 {SOURCE}",
}


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which what a wheel installs comes first. Dependencies are the tests'."""
    folder = tmp_path_factory.mktemp("installed")
    source, site = folder / "source", folder / "site"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, str(source)], check=True)
    return {**os.environ, "PYTHONPATH": str(site)}


def test_the_list_of_benchmarks_is_whole(environ: dict[str, str]) -> None:
    files = Path(environ["PYTHONPATH"], "keyturn", "daemon", "bench").glob("[a-z]*.py")
    assert {file.stem for file in files} == TINY.keys()


@pytest.mark.parametrize("bench", TINY)
def test_it_runs_from_an_installed_wheel(
    bench: str, environ: dict[str, str], tiny_folder: Path, tmp_path: Path
) -> None:
    environ = {**environ, "KEYTURN_CACHE": str(tmp_path / "cache")}
    where = [sys.executable, "-c", "import keyturn.daemon; print(keyturn.daemon.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environ, check=True, capture_output=True)
    assert found.stdout.decode().startswith(environ["PYTHONPATH"])
    command = [sys.executable, "-m", "keyturn.daemon", "bench", bench, *TINY[bench].split()]
    if bench != "lsp":  # which measures without a model
        command += ["--model", str(tiny_folder), "--device", "cpu", "--dtype", "float32"]
    done = subprocess.run(
        [*command, "--json"], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bench"] == bench
