"""What a server is told is checked before any replica is started."""

import subprocess
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from keyturn.cache.errors import InputError
from keyturn.daemon.__main__ import main
from keyturn.daemon.config import ModelChoice
from keyturn.daemon.team.deployment import IMPORT_PATH, kubernetes_of, yaml_of
from keyturn.daemon.team.settings import Limits, ServerSettings
from support.editors.editor import keyturn


def test_what_is_given_comes_back_and_nothing_else() -> None:
    given = {
        "model": {"name": "lookup", "cache_mib": 512},
        "tokens": "/etc/tokens",
        "limits": {"at_once": 5, "per_second": 2.5},
    }
    settings = ServerSettings.of(given)
    assert settings.model == ModelChoice(name="lookup", cache_mib=512)
    assert settings.limits == Limits(at_once=5, per_second=2.5)
    assert settings.plain() == given
    assert ServerSettings.of({}).plain() == {}


@pytest.mark.parametrize(("given", "said"), [
    ({"modle": {}}, "no setting modle"),
    ({"model": "lookup"}, "must be a mapping"),
    ({"model": {"nme": "x"}}, "nme"),
    ({"model": {"dtype": "int3"}}, "int3"),
    ({"model": {"name": "https://gpu.example:8000"}}, "a team's server itself"),
    ({"tokens": 3}, "path of a file"),
    ({"limits": {"burst": 0}}, "above 0"),
    ({"limits": {"burst": True}}, "above 0"),
    ({"limits": {"bursts": 3}}, "no setting limits.bursts"),
    ({"forget_minutes": "long"}, "above 0"),
])  # fmt: skip
def test_what_is_no_setting_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ServerSettings.of(given)


def test_a_certificate_that_is_none_is_said_before_anything_is_started(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    arguments = ["serve", "--model", "lookup", "--certificate", str(junk), "--key", str(junk)]
    done = subprocess.run(keyturn(*arguments), capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert "no certificate and its key" in done.stderr


def test_settings_that_cannot_be_read_are_no_reason_to_serve_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(tmp_path))
    (tmp_path / "config.toml").write_text("[model\nname = ")
    done = CliRunner().invoke(main, ["serve"])
    assert done.exit_code == 2
    assert "config.toml" in done.output


def test_what_kuberay_is_told_has_the_same_configuration_and_the_ray_that_is_tested() -> None:
    found = yaml.safe_load(kubernetes_of("qwen2.5-coder-0.5b", "keyturn:1"))
    assert (found["apiVersion"], found["kind"]) == ("ray.io/v1", "RayService")
    spec = found["spec"]
    assert yaml.safe_load(spec["serveConfigV2"]) == yaml.safe_load(yaml_of("qwen2.5-coder-0.5b"))
    cluster = spec["rayClusterConfig"]
    assert cluster["rayVersion"] == version("ray")
    (workers,) = cluster["workerGroupSpecs"]
    pods = [each["template"]["spec"] for each in (cluster["headGroupSpec"], workers)]
    for pod in pods:
        (container,) = pod["containers"]
        assert container["image"] == "keyturn:1"
        (mount,), (volume,) = container["volumeMounts"], pod["volumes"]
        assert mount["name"] == volume["name"]
        tokens = ServerSettings.of(
            yaml.safe_load(spec["serveConfigV2"])["applications"][0]["args"]
        ).tokens
        assert tokens.startswith(mount["mountPath"] + "/")
    with pytest.raises(InputError, match="no image"):
        kubernetes_of("qwen2.5-coder-0.5b", "key turn")


def test_the_configuration_to_start_from_is_one_that_serve_takes() -> None:
    with warnings.catch_warnings():  # its own, about pydantic
        warnings.simplefilter("ignore")
        from ray.serve.schema import ServeDeploySchema
    found = yaml.safe_load(yaml_of("qwen2.5-coder-0.5b"))
    config = ServeDeploySchema.model_validate(found)
    (application,) = config.applications
    assert application.import_path == IMPORT_PATH
    assert {each.name for each in application.deployments} == {"Engine", "Ingress"}
    assert ServerSettings.of(application.args).tokens == "/etc/keyturn/tokens"
