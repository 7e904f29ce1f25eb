// Bundles web/src into src/dyad/viewer/assets. The stamp lets a test see, without node, that the committed bundle
// was made from the committed sources: it is the hash of every input, in an order both sides agree on.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const web = dirname(fileURLToPath(import.meta.url));
const assets = join(web, "..", "src", "dyad", "viewer", "assets");

function stamp() {
  const inputs = [
    "build.mjs",
    "package-lock.json",
    "package.json",
    ...readdirSync(join(web, "src"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(web.length + 1).replaceAll("\\", "/")),
  ].sort();
  const hash = createHash("sha256");
  for (const name of inputs) {
    const bytes = readFileSync(join(web, name));
    hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

const shared = { bundle: true, minify: true, write: false, logLevel: "warning", charset: "ascii", target: "es2022" };
const script = await build({ ...shared, entryPoints: [join(web, "src", "main.js")], format: "iife", legalComments: "none" });
const style = await build({ ...shared, entryPoints: [join(web, "src", "style", "main.css")] });
const gallery = await build({ ...shared, entryPoints: [join(web, "src", "style", "gallery.css")] });
const notice = "/*! Dyad report page; contains three.js, copyright 2010-2025 three.js authors, MIT licence */\n";

mkdirSync(assets, { recursive: true });
// A closing tag inside the script would end it early in the page that it is put into.
const code = script.outputFiles[0].text.replaceAll("</script", "<\\/script");
writeFileSync(join(assets, "report.js"), notice + code);
writeFileSync(join(assets, "report.css"), style.outputFiles[0].text);
writeFileSync(join(assets, "gallery.css"), gallery.outputFiles[0].text);
for (const name of ["report.html", "gallery.html"]) writeFileSync(join(assets, name), readFileSync(join(web, "src", name)));
writeFileSync(join(assets, "report.sha256"), stamp() + "\n");
