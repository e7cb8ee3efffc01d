/** Where the `keyturn` program is: named by a setting, else in a virtual environment, else on the PATH. */

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";

export interface Places {
  /** The setting: a name or a path; empty if not set. */
  setting: string;
  /** The workspace's folders, if their programs may be run. */
  folders: readonly string[];
  /** The PATH. */
  path: string;
  home: string;
  /** Where we have installed it; empty if we have not. */
  installedIn: string;
}

export type Found = { command: string } | { problem: string };

export const NOT_INSTALLED = "The keyturn server is not on this machine yet.";

const ENVIRONMENTS = [".venv", "venv", "env"];

export function findServer({ setting, folders, path, home, installedIn }: Places): Found {
  if (setting) {
    const name = setting.replace(/^~(?=\/)/, home);
    const command = name.includes("/")
      ? runnable(isAbsolute(name) ? [name] : folders.map((folder) => resolve(folder, name)))
      : lookUp(name, searchPath(path, home));
    return command ? { command } : { problem: `keyturn.command is "${setting}", and there is no such program.` };
  }
  const inside = folders.flatMap((folder) => ENVIRONMENTS.map((name) => join(folder, name, "bin")));
  const command = lookUp("keyturn", [...inside, ...searchPath(path, home), installedIn]);
  return command ? { command } : { problem: NOT_INSTALLED };
}

/** The PATH's folders, and the one that a graphical desktop often leaves out of it. */
export function searchPath(path: string, home: string): string[] {
  return [...path.split(delimiter), join(home, ".local", "bin")];
}

/** The first program called `name`. Folders that are not absolute are passed over: they could be the workspace's. */
export function lookUp(name: string, folders: readonly string[]): string | undefined {
  return runnable(folders.filter((folder) => isAbsolute(folder)).map((folder) => join(folder, name)));
}

function runnable(paths: readonly string[]): string | undefined {
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

/** Whether two versions are of one release series: extension and server then speak alike. */
export function sameSeries(one: string, other: string): boolean {
  const series = (version: string) => version.split(".").slice(0, 2).join(".");
  return series(one) === series(other);
}
