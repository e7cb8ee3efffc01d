/** The page that says why a suggestion came to be. Plain data in, lines out. */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** A piece of another file that the model was shown. */
export interface Chunk {
  path: string; // in the project
  line: number; // from 1
  name: string; // of a definition; empty for an excerpt that is like what is being written
}

/** The server's answer to `keyturn.why`. */
export interface Why {
  known: boolean; // typed along, gone back to, or computed ahead
  shown: boolean; // false: held back, since it is not likely to be right
  likely: number | null; // that its first line is right
  model: string;
  device: string;
  finish: string;
  promptTokens: number;
  reusedTokens: number;
  generatedTokens: number;
  prefillMs: number;
  decodeMs: number;
  totalMs: number;
  grammar: string;
  drafter: string;
  chunks: Chunk[];
  chunkTokens: number;
  missing: number;
}

/** A line of the page; `place`, the part of it that names a chunk's, is worth a link. */
export interface Line {
  text: string;
  place?: { start: number; end: number; chunk: Chunk };
}

const LIKE_THIS = "(code like this)";
const NOTHING_OF_OTHERS = "Nothing of the project's other files: none was wanted, or none was ready yet.";

export function whyPage(why: Why): Line[] {
  const lines: Line[] = [];
  const say = (...texts: string[]) => lines.push(...texts.map((text) => ({ text })));
  if (!why.shown) say("It was held back, because it is probably wrong; Trigger Inline Suggestion shows it.");
  say(`Suggested by ${why.model} in ${whole(why.totalMs)} ms${spent(why)}.`);
  if (why.known) say("It was known already when it was shown: from before, or worked out ahead.");
  if (why.promptTokens > 0) {
    const ofProject = why.chunks.length > 0 ? ` and ${whole(why.chunkTokens)} of its project:` : ".";
    say("", `Read ${whole(why.promptTokens - why.chunkTokens)} tokens of this file${ofProject}`);
  }
  lines.push(...why.chunks.map(chunkLine));
  if (why.promptTokens > 0 && why.chunks.length === 0) say(NOTHING_OF_OTHERS);
  if (why.missing > 0) say("", `Not ready yet, so not shown: ${whole(why.missing)} more, to be read while you don't type.`);
  say("", ...details(why));
  if (why.chunks.length > 0 || why.missing > 0) {
    say("", "Without the setting keyturn.project, the model is shown the file alone.");
  }
  return lines;
}

function spent({ promptTokens, prefillMs, decodeMs }: Why): string {
  return promptTokens > 0 ? `: ${whole(prefillMs)} ms for reading, ${whole(decodeMs)} ms for writing` : "";
}

function chunkLine(chunk: Chunk): Line {
  const place = `${printable(chunk.path)}:${chunk.line}`;
  return { text: `  ${place} ${printable(chunk.name) || LIKE_THIS}`, place: { start: 2, end: 2 + place.length, chunk } };
}

const ENDS: Record<string, string> = {
  eos: "the model ended it",
  lines: "its line or block was over",
  tokens: "it had as many tokens as it may have",
  deadline: "its time was over",
  cancelled: "it was no longer wanted",
};

function details(why: Why): string[] {
  if (why.promptTokens === 0) return [];
  const likely = why.likely === null ? "nobody can say" : `${Math.round(100 * why.likely)} % for its first line`;
  return [
    `confidence ${likely}`,
    `known      ${whole(why.reusedTokens)} of ${whole(why.promptTokens)} tokens were in the cache`,
    `written    ${whole(why.generatedTokens)} tokens; ${ENDS[why.finish] ?? why.finish}`,
    `device     ${why.device}`,
    `grammar    ${why.grammar}`,
    `guesses    ${why.drafter || "none taken"}`,
  ];
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** Files may have any name; a line of the page is one line. */
function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");
}

const MARKERS = [".git", "keyturn.toml"];

/** The folder that the paths of chunks are in, as the server finds it. */
export function projectOf(file: string): string | undefined {
  const folders = [dirname(file)];
  for (let last = folders[0]; last !== undefined && dirname(last) !== last; last = folders.at(-1)) folders.push(dirname(last));
  return MARKERS.map((marker) => folders.find((folder) => existsSync(join(folder, marker)))).find(Boolean);
}
