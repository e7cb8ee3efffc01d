/** What the server is told of the editor's settings: the user's own values, under the same names. */

export const OPTIONS = [
  "enabled",
  "multiline",
  "maxTokens",
  "candidates",
  "deadlineMs",
  "debounceMaxMs",
  "grammar",
  "speculate",
  "disabledLanguages",
  "disabledGlobs",
  "maxFileChars",
  "project",
  "eagerness",
  "nextEdits",
] as const;

/** Where a setting has a value; the part of VS Code's answer that matters here. */
export interface Inspected {
  globalValue?: unknown;
  workspaceValue?: unknown;
}

/**
 * The options that somebody has set in the editor. Defaults are left out: the server's own files
 * decide where the editor says nothing. `here` is the switch of this window; it goes over all.
 */
export function serverOptions(
  inspect: (name: string) => Inspected | undefined,
  here: boolean | undefined,
): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const name of OPTIONS) {
    const found = inspect(name);
    const value = found?.workspaceValue ?? found?.globalValue;
    if (value !== undefined) options[name] = value;
  }
  if (here !== undefined) options.enabled = here;
  return options;
}

/** `list` with `item` in it if it was not, without it if it was. */
export function toggled(list: readonly string[], item: string): string[] {
  return list.includes(item) ? list.filter((each) => each !== item) : [...list, item];
}
