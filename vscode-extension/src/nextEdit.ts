/**
 * The change that the user may want to make next, elsewhere in a file: what goes is struck through, what comes stands
 * behind it, and a sign in the gutter and at the cursor says where. Tab jumps there, Tab again applies, Escape refuses.
 */

import * as vscode from "vscode";

/** The notification `keyturn/nextEditChanged`. */
export interface NextEditChanged {
  textDocument: { uri: string; version: number };
  edit: Proposed | null;
  /** Where else the next one is, if it is in another open document, which is told of it. */
  elsewhere?: { textDocument: { uri: string }; range: Proposed["range"]; why: string };
}

interface Proposed {
  number: number;
  range: { start: vscode.Position; end: vscode.Position };
  text: string;
  why: string;
}

/** What the server is asked. */
type Ask = (command: string, ...args: unknown[]) => Promise<unknown>;

const SHOWN = "keyturn.nextEditShown"; // the context of our keys
const LED_ON_MS = 400; // after a change was applied, until the next one is shown
const ARROW =
  "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path fill='%234fa3ff' d='M3 3l5 5-5 5V3zm6 0l5 5-5 5V3z'/></svg>";

export class NextEdits implements vscode.Disposable {
  readonly #proposed = new Map<string, NextEditChanged>(); // by the document's URI
  readonly #elsewhere = new Map<string, NextEditChanged>(); // likewise, where it is in another one
  readonly #old = vscode.window.createTextEditorDecorationType({
    textDecoration: "line-through",
    backgroundColor: new vscode.ThemeColor("diffEditor.removedTextBackground"),
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  readonly #new = vscode.window.createTextEditorDecorationType({
    gutterIconPath: vscode.Uri.parse(ARROW, true),
    gutterIconSize: "contain",
    overviewRulerColor: new vscode.ThemeColor("editorOverviewRuler.addedForeground"),
  });
  readonly #hint = vscode.window.createTextEditorDecorationType({});
  #leading: NodeJS.Timeout | undefined; // one was applied, and the next one may come
  #again = false; // Tab was pressed for it already
  readonly #disposables: { dispose(): unknown }[];

  constructor(private readonly ask: Ask) {
    this.#disposables = [
      this.#old,
      this.#new,
      this.#hint,
      vscode.window.onDidChangeActiveTextEditor(() => { this.#draw(); }),
      vscode.window.onDidChangeTextEditorSelection(() => { this.#draw(); }),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        this.#proposed.delete(String(uri));
        this.#elsewhere.delete(String(uri));
      }),
    ];
  }

  dispose(): void {
    this.#stopLeading();
    for (const each of this.#disposables) each.dispose();
  }

  /** The server says what is proposed in a document, or that nothing is any more. */
  changed(told: NextEditChanged): void {
    const uri = String(vscode.Uri.parse(told.textDocument.uri));
    if (told.edit) this.#proposed.set(uri, told);
    else this.#proposed.delete(uri);
    if (told.elsewhere) this.#elsewhere.set(uri, told);
    else this.#elsewhere.delete(uri);
    const leads = !!told.edit || !!told.elsewhere;
    const goes = this.#again && leads && uri === String(vscode.window.activeTextEditor?.document.uri);
    if (leads) this.#stopLeading();
    this.#draw();
    if (goes) void this.go();
  }

  /** No server, no proposals. */
  clear(): void {
    this.#proposed.clear();
    this.#elsewhere.clear();
    this.#stopLeading();
    this.#draw();
  }

  /** Jump to what is proposed, or apply it if the cursor is there. */
  async go(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const found = editor && this.#at(editor);
    const other = editor && !found ? this.#otherThan(editor) : undefined;
    if (other) {
      await vscode.window.showTextDocument(other.document, { selection: new vscode.Range(other.range.start, other.range.start) });
      return;
    }
    if (!editor || !found) {
      this.#again = this.#leading !== undefined; // who is quick does not indent instead
      return;
    }
    const range = rangeOf(found);
    if (!editor.selection.isEmpty || !range.contains(editor.selection.active)) {
      editor.selection = new vscode.Selection(range.start, range.start);
      editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
      return;
    }
    this.#proposed.delete(String(editor.document.uri));
    this.#leading = setTimeout(() => { this.#stopLeading(); this.#draw(); }, LED_ON_MS);
    const start = editor.document.offsetAt(range.start);
    await editor.edit((builder) => { builder.replace(range, found.text); }, { undoStopBefore: true, undoStopAfter: true });
    const end = editor.document.positionAt(start + found.text.length);
    editor.selection = new vscode.Selection(end, end);
    this.#draw();
  }

  /** Never mind: it does not come back. */
  async refuse(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const found = editor && this.#at(editor);
    const other = editor && !found ? this.#otherThan(editor) : undefined;
    const uri = other ? String(other.document.uri) : String(editor?.document.uri);
    const refused = this.#proposed.get(uri)?.edit;
    if (!editor || !refused || !(found ?? other)) return;
    this.#proposed.delete(uri);
    this.#elsewhere.delete(String(editor.document.uri));
    this.#draw();
    await this.ask("keyturn.nextEditRefused", uri, refused.number);
  }

  #stopLeading(): void {
    clearTimeout(this.#leading);
    this.#leading = undefined;
    this.#again = false;
  }

  /** What is proposed for the text as it is in this editor. */
  #at(editor: vscode.TextEditor): Proposed | undefined {
    const told = this.#proposed.get(String(editor.document.uri));
    return told?.textDocument.version === editor.document.version ? (told.edit ?? undefined) : undefined;
  }

  /** The next one of this editor's user that is in another document, as that is. */
  #otherThan(editor: vscode.TextEditor): { document: vscode.TextDocument; range: vscode.Range; why: string } | undefined {
    const told = this.#elsewhere.get(String(editor.document.uri));
    if (!told?.elsewhere || told.textDocument.version !== editor.document.version) return undefined;
    const uri = String(vscode.Uri.parse(told.elsewhere.textDocument.uri));
    const document = vscode.workspace.textDocuments.find((each) => String(each.uri) === uri);
    const there = this.#proposed.get(uri);
    if (!document || !there?.edit || there.textDocument.version !== document.version) return undefined;
    return { document, range: rangeOf(there.edit), why: there.edit.why };
  }

  #draw(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      const found = this.#at(editor);
      const range = found && rangeOf(found);
      const other = found ? undefined : this.#otherThan(editor);
      const hint = found && range ? this.#hintAt(editor, found, range) : other && hintOf(editor, other);
      editor.setDecorations(this.#old, range && !range.isEmpty ? [range] : []);
      editor.setDecorations(this.#new, found && range ? [{ range, hoverMessage: found.why, renderOptions: { after: coming(found.text) } }] : []);
      editor.setDecorations(this.#hint, hint ? [hint] : []);
    }
    const editor = vscode.window.activeTextEditor;
    const found = editor && this.#at(editor);
    const other = editor && !found ? this.#otherThan(editor) : undefined;
    const takesKeys = !!this.#leading || (!!editor && !!found && !isIndenting(editor, rangeOf(found))) || (!!editor && !!other && !isIndenting(editor));
    void vscode.commands.executeCommand("setContext", SHOWN, takesKeys);
  }

  /** At the end of the cursor's line, where the place is another line. */
  #hintAt(editor: vscode.TextEditor, found: Proposed, range: vscode.Range): vscode.DecorationOptions | undefined {
    const line = editor.selection.active.line;
    if (range.start.line === line) return undefined;
    return hintAfter(editor, `  Tab → line ${range.start.line + 1}: ${found.why}`);
  }
}

/** At the end of the cursor's line, where the place is in another document. */
function hintOf(editor: vscode.TextEditor, other: { document: vscode.TextDocument; range: vscode.Range; why: string }): vscode.DecorationOptions {
  const name = vscode.workspace.asRelativePath(other.document.uri);
  return hintAfter(editor, `  Tab → ${name}:${other.range.start.line + 1}: ${other.why}`);
}

function hintAfter(editor: vscode.TextEditor, contentText: string): vscode.DecorationOptions {
  const color = new vscode.ThemeColor("editorGhostText.foreground");
  const range = editor.document.lineAt(editor.selection.active.line).range;
  return { range, renderOptions: { after: { contentText, color, fontStyle: "italic" } } };
}

/** How new text stands behind the old. */
function coming(text: string): vscode.ThemableDecorationAttachmentRenderOptions {
  return {
    contentText: text.replaceAll("\r\n", "\n").replaceAll("\n", "⏎"),
    color: new vscode.ThemeColor("editorGhostText.foreground"),
    backgroundColor: new vscode.ThemeColor("diffEditor.insertedTextBackground"),
  };
}

function rangeOf({ range: { start, end } }: Proposed): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

/** Whether Tab would indent: with a selection, or before a line's first word, on another line than the proposal's. */
function isIndenting(editor: vscode.TextEditor, range?: vscode.Range): boolean {
  const { selection, document } = editor;
  if (!selection.isEmpty) return true;
  if (selection.active.line === range?.start.line) return false;
  return document.lineAt(selection.active.line).text.slice(0, selection.active.character).trim() === "";
}
