import { cleanup, fireEvent, render, screen } from "@testing-library/preact";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { VirtualGrid } from "../../src/components/virtual-grid";

// The document of these tests has no layout: the box is 400 × 300 pixels.
const SIZES = { clientWidth: 400, offsetWidth: 400, clientHeight: 300, offsetHeight: 300 };

beforeEach(() => {
  for (const [name, size] of Object.entries(SIZES)) {
    vi.spyOn(HTMLElement.prototype, name as "clientWidth", "get").mockReturnValue(size);
  }
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

function grid(count = 10_000) {
  const told = {
    picked: [] as number[],
    opened: [] as number[],
    keys: [] as string[],
    seen: [0, 0],
  };
  render(
    <VirtualGrid
      label="Pictures"
      count={count}
      tile={94}
      keyOf={(index) => index}
      tileOf={(index) => <img alt={`${index}.jpg`} />}
      isSelected={(index) => index === 1}
      onPick={(index) => told.picked.push(index)}
      onOpen={(index) => told.opened.push(index)}
      onKey={(event) => told.keys.push(event.key)}
      onView={(first, last) => {
        told.seen = [first, last];
      }}
    />,
  );
  return { told, box: screen.getByRole("grid") };
}

const at = (box: HTMLElement) => box.getAttribute("aria-activedescendant")?.split("-").at(-1);

test("of ten thousand tiles those in view are there, and the number of all rows is told", () => {
  const { told, box } = grid();
  expect(box.getAttribute("aria-rowcount")).toBe("2500");
  expect(box.getAttribute("aria-colcount")).toBe("4");
  const shown = screen.getAllByRole("gridcell");
  expect(shown.length).toBeLessThan(40);
  expect(told.seen).toEqual([0, shown.length - 1]);
  expect(shown[1]?.getAttribute("aria-selected")).toBe("true");
});

test("arrows move by tiles and rows and stop at the ends; space picks and enter opens", () => {
  const { told, box } = grid();
  const press = (key: string) => fireEvent.keyDown(box, { key });
  press("ArrowLeft");
  expect(at(box)).toBe("0");
  press("ArrowRight");
  press("ArrowDown");
  expect(at(box)).toBe("5");
  press(" ");
  press("Enter");
  expect([told.picked, told.opened]).toEqual([[5], [5]]);
  press("ArrowUp");
  press("ArrowUp");
  expect(at(box)).toBe("0");
});

test("other keys are told, and what happens within a tile is the tile's", () => {
  const { told, box } = grid(3);
  fireEvent.keyDown(box, { key: "a", ctrlKey: true });
  const inside = screen.getByAltText("2.jpg");
  fireEvent.keyDown(inside, { key: " " });
  expect([told.keys, told.picked]).toEqual([["a"], []]);
  fireEvent.click(inside);
  expect(told.picked).toEqual([2]);
});
