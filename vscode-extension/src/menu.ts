/** The menu behind the status bar item, and the picker of models. */

import * as vscode from "vscode";

/** What an entry says, and the command that it runs. */
export type Entry = [label: string, command: string, ...args: unknown[]];

export async function showMenu(sentence: string, entries: readonly Entry[]): Promise<void> {
  const items = entries.map(([label, ...run]) => ({ label, run }));
  const chosen = await vscode.window.showQuickPick(items, { title: "keyturn", placeHolder: sentence });
  // A click on the status bar has taken the keyboard from the editor: give it back.
  await vscode.commands.executeCommand("workbench.action.focusActiveEditorGroup");
  if (chosen) await vscode.commands.executeCommand(...chosen.run);
}

/** What `keyturn model list --json` prints. */
export interface Models {
  models: { name: string; path: string | null; files_bytes: number }[];
}

/** The name of a model that the user picks, or types. */
export async function pickModel({ models }: Models, current: string): Promise<string | undefined> {
  const items = models.map((model): vscode.QuickPickItem => ({
    label: model.name,
    description: model.name === current ? "loaded now" : "",
    detail: model.path ? "On this machine" : `To download: ${Math.round(model.files_bytes / 1e6).toLocaleString()} MB`,
  }));
  const other = { label: "Another…", detail: "A Hugging Face repository, a folder, or a .gguf file" };
  const chosen = await vscode.window.showQuickPick([...items, other], {
    title: "Switch the model of all your editors",
    placeHolder: "Until the daemon ends; the one that it begins with is model.name in config.toml",
  });
  return chosen === other ? vscode.window.showInputBox({ title: "Model", prompt: other.detail }) : chosen?.label;
}
