"""A Ray cluster of several nodes on this machine, with keyturn deployed as on real ones: by Serve's
own commands, from the configuration that `keyturn serve config` prints.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil
import yaml

from keyturn.daemon.bench._team.own_server import REPLICA, free_port
from keyturn.daemon.team.deployment import yaml_of
from support.until import until

BIN = Path(sys.executable).parent
START_SECONDS = 120.0


class RayCluster:
    """Of nodes with so many processors each; the first is the head."""

    def __init__(self, folder: Path, nodes: int, cpus: int = 2) -> None:
        self.folder = folder
        self.port = free_port()  # of the server
        self.url = f"http://127.0.0.1:{self.port}"
        self._gcs, self._dashboard = free_port(), free_port()
        self._environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": "0" * 64,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",  # several nodes of one address
        }
        self._ray(
            "start",
            "--head",
            f"--port={self._gcs}",
            f"--dashboard-port={self._dashboard}",
            f"--temp-dir={folder}/ray",
            *self._of_a_node(cpus),
        )
        for _ in range(nodes - 1):
            self.join(cpus)

    def join(self, cpus: int = 2) -> None:
        """Another node."""
        self._ray("start", f"--address=127.0.0.1:{self._gcs}", *self._of_a_node(cpus))

    def deploy(
        self,
        tokens: Path,
        replicas: int,
        args: Mapping[str, Any],
        model: str = "lookup",
        cpus: float = 1,
    ) -> None:
        """Return as soon as Serve has begun; `wait` for it to end."""
        found = yaml.safe_load(yaml_of(model))
        found["http_options"]["port"] = self.port
        (application,) = found["applications"]
        application["args"] |= {"tokens": str(tokens), **args}
        engine, _ = application["deployments"]
        engine["ray_actor_options"] = {"num_cpus": cpus, "num_gpus": 0}
        engine["autoscaling_config"] |= {"min_replicas": replicas, "max_replicas": replicas}
        path = self.folder / "serve.yaml"
        path.write_text(yaml.safe_dump(found))
        self._run("serve", "deploy", "-a", self._address, str(path))

    def wait(self) -> None:
        """Until what was deployed last is there, and nothing else."""
        until(self._is_there, "the deployment is there", START_SECONDS)

    def kill_last_node(self) -> None:
        """As a machine that loses its power: all of the node that joined last, which has some of
        the replicas."""
        last = max(self._raylets(), key=lambda each: each.create_time())
        processes = last.children(recursive=True)
        assert any(REPLICA in _words(each) for each in processes)
        for process in [*processes, last]:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def replicas(self) -> list[psutil.Process]:
        """The processes with an engine."""
        children = [child for each in self._raylets() for child in each.children(recursive=True)]
        return [child for child in children if REPLICA in _words(child)]

    def stop(self) -> None:
        for word in (str(self.folder), f":{self._gcs} "):
            for process in _processes(word):
                for each in [*process.children(recursive=True), process]:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()

    def _raylets(self) -> list[psutil.Process]:
        return [p for p in _processes("raylet/raylet") if f"{self.folder}/" in _words(p)]

    @property
    def _address(self) -> str:
        return f"http://127.0.0.1:{self._dashboard}"

    def _is_there(self) -> bool:
        said = yaml.safe_load(self._run("serve", "status", "-a", self._address))
        application = said["applications"]["keyturn"]
        deployments = application.get("deployments", {})
        states = {state for each in deployments.values() for state in each["replica_states"]}
        running = application["status"] == "RUNNING" and states == {"RUNNING"}
        return running and httpx2.get(f"{self.url}/healthz", timeout=5.0).is_success

    @staticmethod
    def _of_a_node(cpus: int) -> list[str]:
        return [f"--num-cpus={cpus}", f"--dashboard-agent-listen-port={free_port()}"]

    def _ray(self, *arguments: str) -> None:
        self._run("ray", *arguments, "--disable-usage-stats")

    def _run(self, *command: str) -> str:
        program, *arguments = command
        done = subprocess.run(
            [BIN / program, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_SECONDS,
        )
        assert done.returncode == 0, done.stderr[-2_000:] + done.stdout[-2_000:]
        return done.stdout


@contextmanager
def ray_cluster(folder: Path, nodes: int) -> Iterator[RayCluster]:
    made = RayCluster(folder, nodes)
    try:
        yield made
    finally:
        made.stop()


def _processes(word: str) -> list[psutil.Process]:
    """Whose command line has it."""
    return [each for each in psutil.process_iter() if word in _words(each)]


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
