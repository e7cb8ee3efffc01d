import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { findServer, lookUp, NOT_INSTALLED, sameSeries, type Places } from "../src/find";
import { waysToInstall } from "../src/ways";

/** A folder with these programs in it. */
function machine(...programs: string[]): string {
  const root = mkdtempSync(join(tmpdir(), "find-"));
  for (const program of programs) {
    const path = join(root, program);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "#!/bin/sh\n");
    chmodSync(path, 0o755);
  }
  return root;
}

function find(root: string, places: Partial<Places>): string {
  const nothing = { setting: "", folders: [], path: "", home: join(root, "home"), installedIn: "" };
  const found = findServer({ ...nothing, ...places });
  return "command" in found ? found.command.replace(root, "") : found.problem;
}

test("a virtual environment of the workspace goes before the PATH, in the order of the folders", () => {
  const root = machine("two/.venv/bin/keyturn", "three/env/bin/keyturn", "bin/keyturn");
  const folders = ["one", "two", "three"].map((name) => join(root, name));
  assert.equal(find(root, { folders, path: join(root, "bin") }), "/two/.venv/bin/keyturn");
  assert.equal(find(root, { folders: folders.slice(2), path: join(root, "bin") }), "/three/env/bin/keyturn");
  assert.equal(find(root, { path: join(root, "bin") }), "/bin/keyturn");
});

test("what a desktop's PATH leaves out is found, and where we installed it comes last", () => {
  const root = machine("home/.local/bin/keyturn", "scripts/keyturn");
  assert.equal(find(root, { installedIn: join(root, "scripts") }), "/home/.local/bin/keyturn");
  assert.equal(find(machine(), { installedIn: join(root, "scripts") }), join(root, "scripts", "keyturn"));
});

test("the setting goes before all: a name, a path, one from home, one in the workspace", () => {
  const root = machine("ws/.venv/bin/keyturn", "ws/tools/kt", "home/kt", "bin/kt");
  const places = { folders: [join(root, "ws")], path: join(root, "bin") };
  assert.equal(find(root, { ...places, setting: "kt" }), "/bin/kt");
  assert.equal(find(root, { ...places, setting: join(root, "bin", "kt") }), "/bin/kt");
  assert.equal(find(root, { ...places, setting: "~/kt" }), "/home/kt");
  assert.equal(find(root, { ...places, setting: "tools/kt" }), "/ws/tools/kt");
});

test("a setting that names nothing is a problem, not a reason to run something else", () => {
  const root = machine("bin/keyturn");
  const found = find(root, { setting: "/no/such/keyturn", path: join(root, "bin") });
  assert.equal(found, 'keyturn.command is "/no/such/keyturn", and there is no such program.');
});

test("nothing found is said to be not installed", () => {
  assert.equal(find(machine(), {}), NOT_INSTALLED);
});

test("folders, files that may not be run, and relative folders of the PATH are passed over", () => {
  const root = machine("b/keyturn");
  mkdirSync(join(root, "a", "keyturn"), { recursive: true });
  mkdirSync(join(root, "c"));
  writeFileSync(join(root, "c", "keyturn"), "");
  const folders = ["a", "c", "b"].map((name) => join(root, name));
  assert.equal(lookUp("keyturn", folders), join(root, "b", "keyturn"));
  process.chdir(root);
  assert.equal(lookUp("keyturn", ["b", ".", ""]), undefined);
});

test("versions of one series belong together", () => {
  assert.ok(sameSeries("0.1.0", "0.1.9"));
  assert.ok(!sameSeries("0.2.0", "0.1.0"));
  assert.ok(!sameSeries("unknown", "0.1.0"));
});

test("the ways to install are those that the machine has, uv first, and each says where it installs", () => {
  const root = machine("bin/python3", "bin/uv");
  const ways = waysToInstall("/x.whl", [join(root, "bin")]);
  assert.deepEqual(ways.map((way) => way.label), ["uv", "pip"]);
  assert.deepEqual(ways[0]?.command, [join(root, "bin", "uv"), "tool", "install", "--force", "/x.whl"]);
  assert.deepEqual(ways[1]?.command.slice(1), ["-m", "pip", "install", "--user", "--upgrade", "/x.whl"]);
  assert.deepEqual(ways.map((way) => way.where[0]), ways.map((way) => way.command[0]));
  assert.deepEqual(waysToInstall("/x.whl", []), []);
});
