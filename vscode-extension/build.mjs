// Bundles the extension (or, with --tests, its unit tests) and puts its pages where vsce packs them.
import { build } from "esbuild";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const common = { bundle: true, platform: "node", target: "node20", logLevel: "warning" };

if (process.argv.includes("--tests")) {
  const tests = readdirSync("test").filter((name) => name.endsWith(".test.ts"));
  await build({ ...common, entryPoints: tests.map((name) => `test/${name}`), outdir: "out", format: "cjs" });
} else {
  mkdirSync("dist", { recursive: true });
  await build({
    ...common,
    entryPoints: ["src/extension.ts"],
    outfile: "dist/extension.js",
    external: ["vscode"],
    minify: true,
  });
  // An installed extension's page shows no picture by a relative path; one inside the page it does.
  const page = readFileSync("README.md", "utf8").replace(
    /\]\((images\/[\w-]+\.png)\)/g,
    (_, path) => `](data:image/png;base64,${readFileSync(path).toString("base64")})`,
  );
  writeFileSync("dist/README.md", page);
}
