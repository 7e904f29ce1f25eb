// A card a person: what a coach or a clinician wants to know first, and how far to trust it.
import { make } from "./make.js";
import { nameOf } from "./payload.js";

const percent = (share) => `${Math.round(100 * share)} %`;
const WORDS = { good: "reliable", fair: "use with care", poor: "doubtful" };

function figure(title, value, unit, detail, hint) {
  const number = make("dd", {}, make("b", {}, value ?? "–"), value === null ? "" : ` ${unit}`);
  if (detail) number.append(make("small", {}, detail));
  return make("div", { title: hint }, make("dt", {}, title), number);
}

function card(data, one, choose) {
  const s = one.summary;
  const told = (value, digits) => (value === null || value === undefined ? null : value.toFixed(digits));
  const name = make("button", { type: "button", className: "who", title: "Show this person alone" }, make("i", { className: "swatch" }), nameOf(data, one));
  name.addEventListener("click", choose);
  const walked = s.walked > 0 ? `${s.distance.toFixed(1)} m in ${s.walked.toFixed(1)} s` : "did not walk";
  const figures = make(
    "dl",
    {},
    figure("Seen", told(s.seen, 1), "s", `${percent(s.share)} of the clip${s.filled > 0.005 ? `, ${percent(s.filled)} filled` : ""}`, "Seconds in which this person was detected"),
    figure("Stature", told(s.stature, 2), "m", s.stature_spread === null ? "" : `± ${s.stature_spread.toFixed(2)} m`, "From the lengths of bones; one standard deviation"),
    figure("Walking speed", told(s.speed, 2), "m/s", s.speed === null ? walked : `${s.speed_low.toFixed(1)} to ${s.speed_high.toFixed(1)}; ${walked}`, "Median while walking, and where 80 % of it lies"),
    figure("Cadence", told(s.cadence, 0), "steps/min", s.cadence === null ? "no steady rhythm seen" : "", "From the rhythm with which the feet pass each other"),
  );
  const grade = make("span", { className: `grade ${s.trust}`, title: "How far these numbers can be relied on" }, WORDS[s.trust]);
  const why = make("p", { className: "why" }, s.reasons.length ? `${s.reasons.join("; ")}.` : "Nothing speaks against these numbers.");
  const made = make("article", { className: "card" }, make("header", {}, name, grade), figures, why);
  made.style.setProperty("--colour", one.colour);
  return made;
}

export function fillSummary(data, choose) {
  const box = document.getElementById("summary");
  if (!data.people.length) {
    box.append(make("p", { className: "nobody" }, "No one was found in this video."));
    return;
  }
  box.append(make("div", { className: "cards" }, ...data.people.map((one, index) => card(data, one, () => choose(index)))));
}
