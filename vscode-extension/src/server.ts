/**
 * The language server's process and the client that speaks to it. Owns both: at most one of each.
 * Restarts are queued, and those asked for while one waits are that one.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { homedir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { LogOutputChannel, TextDocument } from "vscode";
import * as lsp from "vscode-languageclient/node";
import type { Found } from "./find";
import type { NextEditChanged } from "./nextEdit";
import { STARTING, type ServerStatus } from "./view";

/** Documents that are followed; the cells of notebooks are documents too. */
export const SCHEMES = ["file", "untitled", "vscode-notebook-cell"];

/** This many ends within three minutes, and it is not started again. */
const MOST_ENDS = 5;

/** Says that we do. */
const SHOWS_NEXT_EDITS: lsp.StaticFeature = {
  fillClientCapabilities: (capabilities) => { capabilities.experimental = { keyturn: { nextEdit: true } }; },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

export interface Hooks {
  find(): Found;
  options(): Record<string, unknown>;
  /** A server runs, and says that it is of this version. */
  running(command: string, version: string): void;
  status(status: ServerStatus): void;
  /** The editor's questions are answered by a loaded model from now on. */
  ready(): void;
  /** One was, about a document as it stood then. */
  answered(document: TextDocument, version: number): void;
  /** No server runs, and none will until a restart. */
  problem(text: string): void;
  /** What is proposed to be changed next, in one document. */
  nextEdit(told: NextEditChanged): void;
  /** So many suggestions are being worked on. */
  asking(requests: number): void;
}

/** Writes what goes wrong into the log, and never into a pop-up: the status bar tells. */
class Client extends lsp.LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export class Server {
  #client: Client | undefined;
  #child: ChildProcess | undefined;
  #queue = Promise.resolve();
  #waiting = false;
  #starting = false;
  #ready = false;
  #asking = 0;
  #ends: number[] = [];

  constructor(
    private readonly hooks: Hooks,
    private readonly log: LogOutputChannel,
  ) {}

  /** Stop the server if one runs, and start one. */
  restart(): Promise<void> {
    if (this.#starting) this.#child?.kill(); // it may never come up
    if (!this.#waiting) {
      this.#waiting = true;
      this.#queue = this.#queue.then(async () => {
        this.#waiting = false;
        await this.#stop();
        await this.#start();
      });
    }
    return this.#queue;
  }

  /** Stop for good; resolves when the process has gone. */
  stop(): Promise<void> {
    if (this.#starting) this.#child?.kill();
    return (this.#queue = this.#queue.then(() => this.#stop()));
  }

  /** Run one of the server's commands; undefined if there is no server, or it can't. */
  async ask<T>(command: string, ...args: unknown[]): Promise<T | undefined> {
    try {
      return (await this.#client?.sendRequest("workspace/executeCommand", { command, arguments: args }));
    } catch (error) {
      this.log.warn(`${command}: ${String(error)}`);
      return undefined;
    }
  }

  /** Tell the server the editor's options as they are now. */
  async configure(): Promise<void> {
    if (!this.#client?.isRunning()) return;
    const settings = { keyturn: this.hooks.options() };
    await this.#client.sendNotification("workspace/didChangeConfiguration", { settings });
  }

  async #start(): Promise<void> {
    const found = this.hooks.find();
    if ("problem" in found) {
      this.hooks.problem(found.problem);
      return;
    }
    const client = new Client("keyturn", "keyturn", () => this.#launch(found.command), this.#options());
    client.onNotification("keyturn/status", (status: ServerStatus) => this.#told(client, status));
    client.onNotification("keyturn/nextEditChanged", (told: NextEditChanged) => { this.hooks.nextEdit(told); });
    client.registerFeature(SHOWS_NEXT_EDITS);
    this.#client = client;
    this.#starting = true;
    this.#ends = [];
    try {
      await client.start();
      this.hooks.running(found.command, client.initializeResult?.serverInfo?.version ?? "unknown");
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.hooks.problem(`${found.command} does not answer as a language server: ${reason}`);
    } finally {
      this.#starting = false;
    }
  }

  async #told(client: Client, status: ServerStatus): Promise<void> {
    this.#ready = status.phase === "ready";
    this.hooks.status(status);
    if (!this.#ready) return;
    await client.start(); // under way, or done: the editor asks nothing before
    if (this.#asking === 0) this.hooks.ready(); // what is asked already gets its answer
  }

  /** The process is ours to end: the client would end its children too, and the daemon is one. */
  async #launch(command: string): Promise<lsp.ChildProcessInfo> {
    this.log.info(`> ${command} lsp`);
    const child = spawn(command, ["lsp"], { cwd: homedir(), stdio: "pipe" });
    await once(child, "spawn");
    this.#child = child;
    return { process: child, detached: true };
  }

  async #stop(): Promise<void> {
    const [client, child] = [this.#client, this.#child];
    this.#client = this.#child = undefined;
    this.#ready = false;
    try {
      await client?.dispose();
    } catch (error) {
      this.log.info(`stopping: ${String(error)}`); // it had not started, or took too long
    }
    if (!child || gone(child)) return;
    await Promise.race([once(child, "exit"), sleep(2_000)]);
    if (!gone(child)) child.kill("SIGKILL");
  }

  #options(): lsp.LanguageClientOptions {
    return {
      documentSelector: SCHEMES.map((scheme) => ({ scheme })),
      outputChannel: this.log,
      initializationOptions: () => this.hooks.options(),
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: lsp.ErrorAction.Continue, handled: true }),
        closed: () => ({ action: this.#ended(), handled: true }),
      },
      middleware: {
        workspace: { configuration: ({ items }) => items.map(() => this.hooks.options()) },
        handleWorkDoneProgress: () => undefined, // the status bar shows it already
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          this.hooks.asking(++this.#asking);
          try {
            const { version } = document;
            const found = await next(document, position, context, token);
            if (this.#ready) this.hooks.answered(document, version);
            return found;
          } finally {
            this.hooks.asking(--this.#asking);
          }
        },
      },
    };
  }

  /** The process has ended by itself. */
  #ended(): lsp.CloseAction {
    this.#ready = false;
    if (this.#starting) return lsp.CloseAction.DoNotRestart;
    this.#ends = [...this.#ends, Date.now()].filter((then) => Date.now() - then < 180_000);
    if (this.#ends.length < MOST_ENDS) {
      this.hooks.status(STARTING);
      return lsp.CloseAction.Restart;
    }
    this.hooks.problem(`The server has ended ${MOST_ENDS} times in a row. The log may say why.`);
    return lsp.CloseAction.DoNotRestart;
  }
}

function gone(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
