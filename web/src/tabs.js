// One of the panels below the scrubber at a time.
export class Tabs {
  constructor(onChange) {
    this.onChange = onChange;
    this.buttons = [...document.querySelectorAll("[data-tab]")];
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.show(button.dataset.tab));
      button.addEventListener("keydown", (event) => this.#arrow(event, button));
    }
    this.show("lanes", true);
  }

  offer(name, on) {
    this.#button(name).hidden = !on;
  }

  #button(name) {
    return this.buttons.find((button) => button.dataset.tab === name);
  }

  #arrow(event, button) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const offered = this.buttons.filter((one) => !one.hidden);
    const next = offered[(offered.indexOf(button) + step + offered.length) % offered.length];
    event.preventDefault();
    event.stopPropagation(); // the arrows would move the frame as well
    next.focus();
    this.show(next.dataset.tab);
  }

  show(name, quiet = false) {
    for (const button of this.buttons) {
      const on = button.dataset.tab === name;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      document.getElementById(button.dataset.tab).hidden = !on;
    }
    document.body.dataset.panel = name;
    if (!quiet) this.onChange(name);
  }
}
