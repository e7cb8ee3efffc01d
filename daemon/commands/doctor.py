"""`keyturn doctor`: the findings of an examination of this machine, with advice."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config import load_config
from ._exit_codes import UNAVAILABLE, one_line_errors

if TYPE_CHECKING:
    from ..doctor import Finding


@click.command("doctor")
@click.option("--model", help="Name, folder or file; the configured one otherwise.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(model: str | None, as_json: bool) -> None:
    """Say what was found: device, model, settings, kernels, cache folder, what is read of the
    project here; and what is missing.

    Ends with 0 if completions can work here, with 3 if not.
    """
    with one_line_errors():
        from ...models.hub.progress import Progress
        from ..doctor import Report, examine

        config = load_config()
        report = examine(model or config.model.name, config, Progress(sys.stderr))
        report = Report((*report.findings, _project()))
    if as_json:
        findings = {finding.name: asdict(finding) for finding in report.findings}
        for finding in findings.values():
            del finding["name"]
        click.echo(json.dumps({"ok": report.ok, "findings": findings}))
    else:
        width = max(len(finding.name) for finding in report.findings)
        for finding in report.findings:
            mark = " " if finding.ok else "!"
            advice = f"\n{'':{width + 4}}→ {finding.advice}" if finding.advice else ""
            click.echo(f"{mark} {finding.name:<{width}}  {finding.found}{advice}")
    sys.exit(0 if report.ok else UNAVAILABLE)


def _project() -> "Finding":
    """What is read beside the files that editors send, where it lies, and how to end that."""
    from ...models.hub.cache_folder import cache_folder
    from ..doctor import Finding
    from ..project.summary import Summary, no_project, root_of

    root = root_of(Path())
    if root is None:
        return Finding("project", no_project(Path()))
    config = load_config(workspace=root)
    found = Summary.of(root, cache_folder(), config.completion, config.model.project_tokens)
    off = "; `project = false` under [completion] in the settings turns that off"
    return Finding("project", found.brief + (off if found.is_read else ""))
