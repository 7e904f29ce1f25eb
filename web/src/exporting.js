// Numbers out of the page: a table of what is plotted, and the commands that write other formats.
import { make } from "./make.js";

/** One field of a table as spreadsheets read it; what would be taken for a formula is marked as text. */
function field(value) {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Time, frame and the columns as text. */
export function csv(data, columns) {
  const first = data.length ? data.times[0] : 0;
  const lines = [["time (s)", "frame", ...columns.map(({ title }) => field(title))].join(",")];
  for (let k = 0; k < data.length; k++) {
    const numbers = columns.map(({ values }) => (Number.isFinite(values[k]) ? String(+values[k].toPrecision(6)) : ""));
    lines.push([(data.times[k] - first).toFixed(6), data.frames[k], ...numbers].join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

export function download(name, text) {
  const link = make("a", { download: name, href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const FORMATS = [
  ["glb", "Blender, three.js, game engines: a body that moves"],
  ["bvh", "animation programs: turning joints"],
  ["trc", "OpenSim: markers"],
  ["c3d", "biomechanics programs: markers"],
  ["csv", "every joint in space with its uncertainty, as a table"],
  ["parquet", "the same for pandas and R"],
  ["usd", "USD"],
  ["coco", "2D joints and boxes"],
  ["mot", "boxes and identities, for tracking benchmarks"],
  ["rrd", "the Rerun viewer"],
];

const quoted = (name) => (/^[\w./-]+$/.test(name) && !name.startsWith("-") ? name : `'${name.replaceAll("'", "'\\''")}'`);

/** What the export dialogue holds; `save` writes the plots' table. */
export function exportContent(data, save) {
  const button = make("button", { type: "button", className: "chip boxed" }, "Save the plots as CSV");
  button.addEventListener("click", save);
  const place = data.comparison ? quoted(data.comparison.sides[0].name) : ".";
  const where = data.comparison ? "Where the runs lie, for either of them:" : "In the folder of this page:";
  const rows = FORMATS.map(([format, what]) => {
    const command = `dyad export ${place} --to ${format}`;
    const copy = make("button", { type: "button", className: "chip" }, "Copy");
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(command);
        copy.textContent = "Copied";
      } catch {
        copy.textContent = "Select it";
      }
    });
    return make("tr", {}, make("td", {}, make("code", {}, command), make("span", {}, what)), make("td", {}, copy));
  });
  return [make("p", {}, button), make("p", {}, where), make("table", { className: "commands" }, ...rows)];
}
