/** Read-only pages of text, some with links, each under a title of its own. Owns what they say. */

import * as vscode from "vscode";

const SCHEME = "keyturn";

interface Page {
  text: string;
  links: vscode.DocumentLink[];
}

export class Pages implements vscode.TextDocumentContentProvider, vscode.DocumentLinkProvider, vscode.Disposable {
  readonly #pages = new Map<string, Page>(); // by title
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.#changed.event;
  readonly #provided = vscode.Disposable.from(
    this.#changed,
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
    vscode.languages.registerDocumentLinkProvider({ scheme: SCHEME }, this),
  );

  async show(title: string, text: string, links: vscode.DocumentLink[] = []): Promise<void> {
    this.#pages.set(title, { text, links });
    const uri = vscode.Uri.from({ scheme: SCHEME, path: title });
    this.#changed.fire(uri);
    await vscode.window.showTextDocument(uri, { preview: true });
  }

  provideTextDocumentContent({ path }: vscode.Uri): string {
    return this.#pages.get(path)?.text ?? "";
  }

  provideDocumentLinks({ uri }: vscode.TextDocument): vscode.DocumentLink[] {
    return this.#pages.get(uri.path)?.links ?? [];
  }

  dispose(): void {
    this.#provided.dispose();
  }
}
