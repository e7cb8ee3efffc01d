/** keyturn in VS Code: starts the server, shows its state, passes settings on. What to suggest is the server's. */

import { execFile } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { findServer, NOT_INSTALLED, sameSeries, type Found } from "./find";
import { install } from "./install";
import { pickModel, showMenu, type Entry, type Models } from "./menu";
import { NextEdits, type NextEditChanged } from "./nextEdit";
import { Pages } from "./pages";
import { SCHEMES, Server, type Hooks } from "./server";
import { serverOptions, toggled } from "./settings";
import { STARTING, view, type ServerStatus, type State } from "./view";
import { projectOf, whyPage, type Why } from "./why";

const THINKING_AFTER_MS = 250; // sooner, the status bar would flicker

/** What is remembered: this window's switch; where we installed the server; that we offered to. */
const HERE = "enabledHere";
const INSTALLED_IN = "installedIn";
const OFFERED = "offered";

let keyturn: Keyturn | undefined;

export function activate(context: vscode.ExtensionContext): void {
  keyturn = new Keyturn(context);
  void keyturn.restart();
}

export async function deactivate(): Promise<void> {
  await keyturn?.server.stop();
}

class Keyturn implements Hooks {
  readonly server: Server;
  readonly #log = vscode.window.createOutputChannel("keyturn", { log: true });
  readonly #item = vscode.window.createStatusBarItem("keyturn", vscode.StatusBarAlignment.Right, 100);
  readonly #pages = new Pages();
  readonly #nextEdits = new NextEdits((command, ...args) => this.server.ask(command, ...args));
  #state: State = { problem: "", status: STARTING, refusal: null, thinking: false };
  #command = ""; // the server's program, once it runs
  #disabledLanguages: string[] = [];
  #unanswered: Typed | undefined; // the last that was typed, until there is an answer
  #thinkingSoon: NodeJS.Timeout | undefined;

  constructor(private readonly context: vscode.ExtensionContext) {
    this.server = new Server(this, this.#log);
    this.#item.name = "keyturn";
    this.#item.command = "keyturn.menu";
    this.#item.show();
    const command = (id: string, run: () => unknown) => vscode.commands.registerCommand(id, run);
    context.subscriptions.push(
      this.#log,
      this.#item,
      this.#pages,
      this.#nextEdits,
      command("keyturn.menu", () => this.#menu()),
      command("keyturn.toggleHere", () => this.#toggleHere()),
      command("keyturn.toggleLanguage", () => this.#toggleLanguage()),
      command("keyturn.selectModel", () => this.#run(() => this.#selectModel())),
      command("keyturn.status", () => this.#run(() => this.#showStatus())),
      command("keyturn.showWhy", () => this.#run(() => this.#showWhy())), // keyturn.why is the server's
      command("keyturn.log", () => { this.#log.show(); }),
      command("keyturn.restart", () => this.restart()),
      command("keyturn.nextEdit.go", () => this.#nextEdits.go()),
      command("keyturn.nextEdit.refuse", () => this.#nextEdits.refuse()),
      command("keyturn.install", () => this.#install()),
      vscode.workspace.onDidChangeConfiguration((event) => this.#settingsChanged(event)),
      vscode.workspace.onDidChangeWorkspaceFolders(() => this.restart()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.restart()),
      vscode.workspace.onDidChangeTextDocument((event) => { this.#changed(event); }),
      vscode.window.onDidChangeTextEditorSelection((event) => { if (event.textEditor.document === file()) this.#moved(); }),
      vscode.window.onDidChangeActiveTextEditor(() => this.#lookAtFile()),
    );
  }

  async restart(): Promise<void> {
    this.#command = "";
    this.#nextEdits.clear();
    this.#update({ problem: "", status: STARTING, refusal: null });
    await this.server.restart();
  }

  // ---------------------------------------------------------------- what the server asks for

  find(): Found {
    const folders = vscode.workspace.isTrusted ? (vscode.workspace.workspaceFolders ?? []) : [];
    return findServer({
      setting: settings().get("command", ""),
      folders: folders.filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath),
      path: process.env.PATH ?? "",
      home: homedir(),
      installedIn: this.context.globalState.get(INSTALLED_IN, ""),
    });
  }

  options(): Record<string, unknown> {
    return serverOptions((name) => settings().inspect(name), this.context.workspaceState.get<boolean>(HERE));
  }

  // ---------------------------------------------------------------- what the server says

  running(command: string, version: string): void {
    this.#command = command;
    this.#log.info(`${command} is keyturn ${version}`);
    void vscode.commands.executeCommand("setContext", "keyturn.running", true);
    const { version: ours } = this.context.extension.packageJSON as { version: string };
    if (!sameSeries(version, ours)) void this.#offer(`${command} is keyturn ${version}; this extension is ${ours}.`, "Update…");
    void this.#lookAtFile();
  }

  status(status: ServerStatus): void {
    this.#update({ status, problem: "" });
    void vscode.commands.executeCommand("setContext", "keyturn.ready", status.phase === "ready");
    void this.#lookAtFile();
  }

  /** Ask again for who has typed, and waited since: the editor itself asks at changes only. */
  ready(): void {
    const typed = this.#unanswered;
    this.#unanswered = undefined;
    if (!typed || !this.#state.status.enabled) return;
    if (typed.document !== file() || typed.document.version !== typed.version) return;
    if (!vscode.workspace.getConfiguration("editor", typed.document).get("inlineSuggest.enabled")) return;
    void vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
  }

  answered(document: vscode.TextDocument, version: number): void {
    const typed = this.#unanswered;
    if (typed?.document === document && typed.version === version) this.#unanswered = undefined;
  }

  problem(problem: string): void {
    this.#log.error(problem);
    this.#update({ problem });
    if (problem !== NOT_INSTALLED || this.context.globalState.get(OFFERED)) return;
    void this.context.globalState.update(OFFERED, true); // the status bar goes on saying it
    void this.#offer(problem, "Install…");
  }

  nextEdit(told: NextEditChanged): void {
    this.#nextEdits.changed(told);
  }

  asking(requests: number): void {
    if (requests > 0) {
      this.#thinkingSoon ??= setTimeout(() => { this.#update({ thinking: true }); }, THINKING_AFTER_MS);
      return;
    }
    clearTimeout(this.#thinkingSoon);
    this.#thinkingSoon = undefined;
    this.#update({ thinking: false });
  }

  // ---------------------------------------------------------------- what is shown

  #update(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    const { text, sentence, warn } = view(this.#state);
    this.#item.text = text;
    this.#item.tooltip = `keyturn: ${sentence}`;
    this.#item.accessibilityInformation = { label: `keyturn: ${sentence}` };
    this.#item.backgroundColor = warn ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
  }

  #changed({ document, contentChanges, reason }: vscode.TextDocumentChangeEvent): void {
    if (document !== file() || contentChanges.length === 0) return;
    const typed = reason === undefined && document.isDirty; // not undone, nor read from disk
    this.#unanswered = typed ? { document, version: document.version, followed: false } : undefined;
  }

  /** The cursor follows what is typed; whoever moves it again does not wait for a suggestion there. */
  #moved(): void {
    if (this.#unanswered?.followed) this.#unanswered = undefined;
    else if (this.#unanswered) this.#unanswered.followed = true;
  }

  /** Ask whether there may be suggestions in the file in front. */
  async #lookAtFile(): Promise<void> {
    const document = file();
    const status = document && (await this.server.ask<DocumentStatus>("keyturn.documentStatus", String(document.uri)));
    if (document !== file()) return; // another one is in front by now
    this.#disabledLanguages = status?.disabledLanguages ?? [];
    this.#update({ refusal: status?.refusal ?? null });
  }

  async #menu(): Promise<void> {
    const language = file()?.languageId;
    const entries: Entry[] = [];
    const entry = (...each: Entry) => entries.push(each);
    const toggle = (on: boolean, where: string) => (on ? `$(circle-slash) Switch off ${where}` : `$(sparkle) Switch on ${where}`);
    if (this.#command) {
      entry(toggle(this.#state.status.enabled, "in this window"), "keyturn.toggleHere");
      if (language) entry(toggle(!this.#disabledLanguages.includes(language), `for ${language}`), "keyturn.toggleLanguage");
      entry("$(server) Switch model…", "keyturn.selectModel");
      if (language) entry("$(question) Why this suggestion", "keyturn.showWhy");
      entry("$(pulse) Show status", "keyturn.status");
    } else {
      entry("$(cloud-download) Install the server…", "keyturn.install");
    }
    entry("$(output) Open log", "keyturn.log");
    entry("$(debug-restart) Restart", "keyturn.restart");
    entry("$(gear) Settings", "workbench.action.openSettings", "@ext:keyturn.keyturn");
    await showMenu(view(this.#state).sentence, entries);
  }

  // ---------------------------------------------------------------- commands

  async #toggleHere(): Promise<void> {
    await this.context.workspaceState.update(HERE, !this.#state.status.enabled);
    await this.server.configure();
  }

  async #toggleLanguage(): Promise<void> {
    const language = file()?.languageId;
    if (!language) return;
    const inWorkspace = settings().inspect("disabledLanguages")?.workspaceValue !== undefined;
    await settings().update("disabledLanguages", toggled(this.#disabledLanguages, language), !inWorkspace);
  }

  async #selectModel(): Promise<void> {
    const models = JSON.parse(await this.#keyturn("model", "list", "--json")) as Models;
    const name = await pickModel(models, this.#state.status.model);
    const answer = name ? await this.server.ask<{ error?: string }>("keyturn.useModel", name) : undefined;
    if (answer?.error) throw new Error(answer.error);
  }

  async #showStatus(): Promise<void> {
    const status = await this.#keyturn("daemon", "status");
    await this.#pages.show("keyturn status", `${view(this.#state).sentence}\n\nprogram    ${this.#command}\n${status}`);
  }

  async #showWhy(): Promise<void> {
    const document = file();
    if (!document) throw new Error("no file is in front");
    const why = await this.server.ask<Why | null>("keyturn.why", String(document.uri));
    if (!why) throw new Error("nothing was suggested in this file yet");
    const lines = whyPage(why);
    const root = projectOf(document.uri.fsPath);
    const links = lines.flatMap(({ place }, row) => {
      if (!place || root === undefined) return [];
      const target = vscode.Uri.file(join(root, place.chunk.path)).with({ fragment: `L${place.chunk.line}` });
      return [new vscode.DocumentLink(new vscode.Range(row, place.start, row, place.end), target)];
    });
    await this.#pages.show("why this suggestion", lines.map(({ text }) => text).join("\n"), links);
  }

  /** What the program prints when run with `args`. Rejects with what it says is wrong. */
  async #keyturn(...args: string[]): Promise<string> {
    if (!this.#command) throw new Error("no server runs");
    return (await promisify(execFile)(this.#command, args, { timeout: 20_000 })).stdout;
  }

  /** Do what the user has asked for; say why if it can't be done. */
  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      void vscode.window.showErrorMessage(`keyturn: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #settingsChanged(event: vscode.ConfigurationChangeEvent): Promise<void> {
    if (event.affectsConfiguration("keyturn.command")) await this.restart();
    if (event.affectsConfiguration("keyturn.enabled")) await this.context.workspaceState.update(HERE, undefined);
    if (event.affectsConfiguration("keyturn")) await this.server.configure();
  }

  async #install(): Promise<void> {
    const folder = await install(this.context, this.#log);
    if (!folder) return;
    await this.context.globalState.update(INSTALLED_IN, folder);
    await this.restart();
  }

  async #offer(text: string, button: string): Promise<void> {
    if (await vscode.window.showInformationMessage(text, button)) await this.#install();
  }
}

/** A document as it stood when the user had typed. */
interface Typed {
  document: vscode.TextDocument;
  version: number;
  followed: boolean; // by the cursor
}

interface DocumentStatus {
  refusal: string | null;
  disabledLanguages: string[];
}

function settings(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration("keyturn");
}

/** The document in front, if it is one that the server follows. */
function file(): vscode.TextDocument | undefined {
  const document = vscode.window.activeTextEditor?.document;
  return document && SCHEMES.includes(document.uri.scheme) ? document : undefined;
}
