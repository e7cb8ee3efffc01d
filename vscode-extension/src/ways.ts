/** How the server can be installed on this machine. */

import { lookUp } from "./find";

export type Command = [program: string, ...args: string[]];

export interface Way {
  label: string;
  command: Command;
  /** Prints the folder that the command puts programs into. */
  where: Command;
}

const USER_SCRIPTS = "import sysconfig as s; print(s.get_path('scripts', s.get_preferred_scheme('user')))";

const WAYS = [
  { label: "uv", program: "uv", install: ["tool", "install", "--force"], where: ["tool", "dir", "--bin"] },
  { label: "pipx", program: "pipx", install: ["install", "--force"], where: ["environment", "--value", "PIPX_BIN_DIR"] },
  {
    label: "pip",
    program: "python3",
    install: ["-m", "pip", "install", "--user", "--upgrade"],
    where: ["-c", USER_SCRIPTS],
  },
];

/** The ways to install `wheel`, best first, with the programs found in `folders`. */
export function waysToInstall(wheel: string, folders: readonly string[]): Way[] {
  return WAYS.flatMap(({ label, program, install, where }): Way[] => {
    const found = lookUp(program, folders);
    return found ? [{ label, command: [found, ...install, wheel], where: [found, ...where] }] : [];
  });
}
