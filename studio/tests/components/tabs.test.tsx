import { cleanup, fireEvent, render, screen } from "@testing-library/preact";
import { afterEach, expect, test } from "vitest";
import { Tabs } from "../../src/components/tabs";

afterEach(cleanup);

const titles = { one: "One", two: "Two", three: "Three" };

test("arrow keys move around and show what they reach; one tab is in the order of the tab key", () => {
  render(
    <Tabs label="which" names={["one", "two", "three"]} titles={titles}>
      {(name) => `shows ${name}`}
    </Tabs>,
  );
  const tabs = screen.getAllByRole("tab");
  const press = (key: string) => fireEvent.keyDown(document.activeElement ?? document, { key });
  tabs[0]?.focus();
  for (const [key, reached] of [
    ["ArrowRight", "two"],
    ["End", "three"],
    ["ArrowRight", "one"],
    ["ArrowLeft", "three"],
    ["Home", "one"],
  ] as const) {
    press(key);
    expect(document.activeElement?.textContent).toBe(titles[reached]);
    expect(screen.getByRole("tabpanel").textContent).toBe(`shows ${reached}`);
    expect(tabs.filter((tab) => tab.tabIndex === 0)).toEqual([document.activeElement]);
  }
});
