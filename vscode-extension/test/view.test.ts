import assert from "node:assert/strict";
import test from "node:test";
import { view, type ServerStatus, type State } from "../src/view";

const READY: ServerStatus = { phase: "ready", message: "", model: "m", fraction: null, enabled: true };

function shown(status: Partial<ServerStatus>, more: Partial<State> = {}): [string, string] {
  const { text, sentence } = view({ problem: "", status: { ...READY, ...status }, refusal: null, thinking: false, ...more });
  return [text, sentence];
}

test("every state has a sentence, and its own sign", () => {
  assert.deepEqual(shown({}), ["$(sparkle) keyturn", "Ready, with m."]);
  assert.deepEqual(shown({}, { thinking: true }), ["$(loading~spin) keyturn", "m is at work."]);
  assert.deepEqual(shown({ enabled: false }), ["$(circle-slash) keyturn", "Suggestions are switched off."]);
  assert.deepEqual(shown({ phase: "failed", message: "no way" }), ["$(warning) keyturn", "No way."]);
  assert.deepEqual(shown({}, { problem: "Gone." }), ["$(warning) keyturn", "Gone."]);
  assert.deepEqual(shown({}, { refusal: "too long" }), ["$(circle-slash) keyturn", "No suggestions here: too long."]);
});

test("a load or download shows how far it is, where that is known", () => {
  assert.deepEqual(shown({ phase: "loading" }), ["$(sync~spin) keyturn", "Loading m."]);
  assert.equal(shown({ phase: "downloading", fraction: 0.428 })[0], "$(sync~spin) keyturn 42 %");
  assert.equal(shown({ phase: "downloading", model: "" })[1], "Downloading the model.");
});

test("what is wrong goes before what is going on, and off before ready", () => {
  assert.equal(shown({ enabled: false }, { thinking: true, refusal: "x" })[1], "Suggestions are switched off.");
  assert.ok(view({ problem: "x", status: READY, refusal: null, thinking: true }).warn);
});
