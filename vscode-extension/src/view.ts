/** What the status bar shows of the server's state. Plain data in, plain data out. */

/** The server's `keyturn/status` notification. */
export interface ServerStatus {
  phase: "starting" | "loading" | "downloading" | "ready" | "asleep" | "failed";
  message: string;
  model: string;
  fraction: number | null;
  enabled: boolean;
}

export interface State {
  /** Why no server runs; empty if one does or is being started. */
  problem: string;
  status: ServerStatus;
  /** Why there are no suggestions in the file in front; null if there may be. */
  refusal: string | null;
  /** A suggestion has been worked on for longer than a moment. */
  thinking: boolean;
}

export const STARTING: ServerStatus = { phase: "starting", message: "", model: "", fraction: null, enabled: true };

export interface View {
  text: string;
  sentence: string;
  warn: boolean;
}

export function view({ problem, status, refusal, thinking }: State): View {
  const show = (icon: string, sentence: string, warn = false, more = ""): View => ({
    text: `$(${icon}) keyturn${more}`,
    sentence,
    warn,
  });
  if (problem) return show("warning", problem, true);
  if (!status.enabled) return show("circle-slash", "Suggestions are switched off.");
  const model = status.model || "the model";
  const percent = status.fraction === null ? "" : ` ${Math.floor(status.fraction * 100)} %`;
  switch (status.phase) {
    case "failed":
      return show("warning", said(status.message) || "The server reports a failure.", true);
    case "starting":
      return show("sync~spin", said(status.message) || "Starting.");
    case "loading":
    case "downloading":
      return show("sync~spin", said(status.message) || said(`${status.phase} ${model}`), false, percent);
    case "asleep":
    case "ready":
      if (refusal) return show("circle-slash", `No suggestions here: ${refusal}.`);
      if (thinking) return show("loading~spin", `${model} is at work.`);
      if (status.phase === "ready") return show("sparkle", `Ready, with ${model}.`);
      return show("sparkle", `Ready; ${model} was put away after a while without use, and comes back when you type.`);
  }
}

/** A message of the server as a sentence. */
function said(message: string): string {
  return message && `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.$/, "")}.`;
}
