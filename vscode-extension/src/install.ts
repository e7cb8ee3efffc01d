/** Installs the server from the package that comes with the extension, and says what it did. */

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { lookUp, searchPath } from "./find";
import { waysToInstall, type Command } from "./ways";

/** Ask how, show the command, run it. The folder that the program is in now, or undefined. */
export async function install(page: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<string | undefined> {
  const folder = page.asAbsolutePath("dist");
  const wheels = readdirSync(folder).filter((name) => name.endsWith(".whl"));
  const places = searchPath(process.env.PATH ?? "", homedir());
  const ways = wheels.flatMap((wheel) => waysToInstall(join(folder, wheel), places));
  if (ways.length === 0) {
    void vscode.window.showErrorMessage("keyturn needs Python 3.11 or later, or uv; neither was found on this machine.");
    return undefined;
  }
  const commands = ways.map((way) => `With ${way.label}:\n${way.command.join(" ")}`);
  const detail = ["One of these commands, as it stands here. It fetches what keyturn needs, PyTorch above all.", ...commands];
  const chosen = await vscode.window.showInformationMessage(
    "Install the keyturn server?",
    { modal: true, detail: detail.join("\n\n") },
    ...ways.map((way) => ({ title: `Use ${way.label}`, way })),
  );
  if (!chosen) return undefined;
  const { command, where } = chosen.way;
  const problem = await run(command, log);
  const bin = problem ? "" : (await promisify(execFile)(where[0], where.slice(1))).stdout.trim();
  const program = bin && lookUp("keyturn", [bin]);
  const outcome = program ? `keyturn is now at ${program}.` : `Nothing was installed: ${problem || `no keyturn in ${bin}`}.`;
  const text = `Ran: ${command.join(" ")}. ${outcome}`;
  log.info(text);
  const show = program ? vscode.window.showInformationMessage : vscode.window.showErrorMessage;
  void show(text, "Open Log").then((pressed) => { if (pressed) log.show(); });
  return program ? bin : undefined;
}

/** Run a command in sight of the user, who can stop it. What went wrong; empty if nothing did. */
async function run(command: Command, log: vscode.LogOutputChannel): Promise<string> {
  const line = command.join(" ");
  log.info(`> ${line}`);
  const options = { location: vscode.ProgressLocation.Notification, title: line, cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    let last = "";
    try {
      const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"], cwd: homedir() });
      token.onCancellationRequested(() => child.kill());
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (data: Buffer) => {
          const text = data.toString().trim();
          last = text.split(/[\r\n]+/).at(-1)?.slice(0, 200) ?? last;
          log.info(text);
          progress.report({ message: last });
        });
      }
      const [code] = (await once(child, "close")) as [number | null];
      if (token.isCancellationRequested) return "you stopped it";
      return code === 0 ? "" : `it ended with exit code ${code ?? "none"}, ${last}`;
    } catch (error) {
      return String(error);
    }
  });
}
