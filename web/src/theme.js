// Light or dark: as the system says until the user says otherwise.
const KEY = "dyad-theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // some browsers give pages on disk no storage
  }
}

export class Theme {
  constructor(onChange) {
    this.choice = ["light", "dark"].includes(stored()) ? stored() : null;
    this.onChange = onChange;
    dark.addEventListener("change", () => this.apply());
    this.apply();
  }

  get name() {
    return this.choice ?? (dark.matches ? "dark" : "light");
  }

  apply() {
    document.documentElement.dataset.theme = this.name;
    this.onChange(this.name);
  }

  toggle() {
    this.choice = this.name === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, this.choice);
    } catch {
      // then the choice lasts as long as the page
    }
    this.apply();
  }
}
