import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { projectOf, whyPage, type Why } from "../src/why";

const WHY: Why = {
  known: false, shown: true, likely: 0.714, model: "m", device: "cpu", finish: "lines", promptTokens: 1820, reusedTokens: 1800, generatedTokens: 7,
  prefillMs: 12.2, decodeMs: 22.4, totalMs: 35.2, grammar: "exact", drafter: "", chunkTokens: 640, missing: 2,
  chunks: [{ path: "lib/b.py", line: 3, name: "helper" }, { path: "a\nb.py", line: 1, name: "C" }],
};

function said(why: Why): string[] {
  return whyPage(why).map(({ text }) => text);
}

test("the page says in plain words what the model was shown, and what was not ready", () => {
  const [first, , read, one, two, , missing] = said(WHY);
  assert.equal(first, "Suggested by m in 35 ms: 12 ms for reading, 22 ms for writing.");
  assert.equal(read, "Read 1,180 tokens of this file and 640 of its project:");
  assert.deepEqual([one, two], ["  lib/b.py:3 helper", "  a\ufffdb.py:1 C"]);
  assert.match(missing ?? "", /^Not ready yet.*: 2 more/);
  assert.match(said(WHY).at(-1) ?? "", /keyturn\.project/);
});

test("every definition has the place of a link, which names its file and line", () => {
  const places = whyPage(WHY).flatMap(({ text, place }) => (place ? [[text.slice(place.start, place.end), place.chunk.name]] : []));
  assert.deepEqual(places, [["lib/b.py:3", "helper"], ["a\ufffdb.py:1", "C"]]);
});

test("what has no name is said to be like what is being written", () => {
  const chunks = [{ path: "lib/b.py", line: 3, name: "" }];
  assert.ok(said({ ...WHY, chunks }).includes("  lib/b.py:3 (code like this)"));
});

test("where nothing of other files was shown the page says so, and what was known already is said to be", () => {
  const lines = said({ ...WHY, known: true, chunks: [], chunkTokens: 0, missing: 0 });
  assert.match(lines[1] ?? "", /known already/);
  assert.ok(lines.includes("Read 1,820 tokens of this file."));
  assert.ok(lines.includes("Nothing of the project's other files: none was wanted, or none was ready yet."));
  assert.ok(!lines.join().includes("keyturn.project"));
});

test("the page says how sure the suggestion is, and whether it was held back", () => {
  assert.ok(said(WHY).includes("confidence 71 % for its first line"));
  assert.ok(!said(WHY).join().includes("held back"));
  const [first] = said({ ...WHY, shown: false, likely: 0.02 });
  assert.match(first ?? "", /held back.*probably wrong/);
  assert.ok(said({ ...WHY, likely: null }).includes("confidence nobody can say"));
});

test("what no model has read says who suggested it, and no more", () => {
  const nothing = { promptTokens: 0, chunks: [], chunkTokens: 0, missing: 0 };
  assert.equal(said({ ...WHY, ...nothing, model: "lookup" }).join("\n").trim(), "Suggested by lookup in 35 ms.");
});

test("a project is the nearest repository, else the nearest marked folder", () => {
  const root = mkdtempSync(join(tmpdir(), "why-"));
  try {
    mkdirSync(join(root, "a", "b"), { recursive: true });
    writeFileSync(join(root, "a", "b", "keyturn.toml"), "");
    assert.equal(projectOf(join(root, "a", "b", "x.py")), join(root, "a", "b"));
    mkdirSync(join(root, "a", ".git"));
    assert.equal(projectOf(join(root, "a", "b", "x.py")), join(root, "a"));
  } finally {
    rmSync(root, { recursive: true });
  }
});
