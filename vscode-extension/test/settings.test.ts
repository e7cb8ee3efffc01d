import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { OPTIONS, serverOptions, toggled, type Inspected } from "../src/settings";

const inspecting = (values: Record<string, Inspected>) => (name: string) => values[name];

test("what nobody has set is left to the server's own files", () => {
  assert.deepEqual(serverOptions(inspecting({}), undefined), {});
  assert.deepEqual(serverOptions(inspecting({ maxTokens: {} }), undefined), {});
});

test("the workspace's value goes over the user's, and a false or empty one counts", () => {
  const values = {
    maxTokens: { globalValue: 10, workspaceValue: 20 },
    enabled: { globalValue: true, workspaceValue: false },
    disabledGlobs: { globalValue: ["*.env"], workspaceValue: [] },
    multiline: { globalValue: "never" },
  };
  assert.deepEqual(serverOptions(inspecting(values), undefined), {
    maxTokens: 20,
    enabled: false,
    disabledGlobs: [],
    multiline: "never",
  });
});

test("this window's switch goes over the setting", () => {
  const values = { enabled: { globalValue: true } };
  assert.deepEqual(serverOptions(inspecting(values), false), { enabled: false });
  assert.deepEqual(serverOptions(inspecting({}), true), { enabled: true });
});

test("the extension's own settings are not the server's", () => {
  const values = { command: { globalValue: "x" }, "trace.server": { globalValue: "verbose" } };
  assert.deepEqual(serverOptions(inspecting(values), undefined), {});
});

test("every option is a setting of the manifest, and every setting but our own is an option", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
    contributes: { configuration: { properties: Record<string, { description?: string; markdownDescription?: string }> } };
  };
  const { properties } = manifest.contributes.configuration;
  const own = ["keyturn.command", "keyturn.trace.server"];
  assert.deepEqual(Object.keys(properties), [...OPTIONS.map((name) => `keyturn.${name}`), ...own]);
  for (const each of Object.values(properties)) assert.ok(each.description ?? each.markdownDescription);
});

test("toggling puts an item in, and takes it out again", () => {
  assert.deepEqual(toggled(["a"], "b"), ["a", "b"]);
  assert.deepEqual(toggled(["a", "b"], "a"), ["b"]);
});
