import { expect, test } from "vitest";
import { commandOf } from "../../src/review/keys";

const pressed = (key: string, more: Partial<KeyboardEvent> = {}) =>
  commandOf({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more });

test("numbers name, 0 rejects", () => {
  expect(pressed("3")).toEqual({ do: "name", number: 3 });
  expect(pressed("0")).toEqual({ do: "reject" });
});

test("keys of the browser stay the browser's", () => {
  expect(pressed("r", { ctrlKey: true })).toBeNull();
  expect(pressed("1", { ctrlKey: true })).toBeNull();
  expect(pressed("ArrowLeft", { altKey: true })).toBeNull();
  expect(pressed("Tab")).toBeNull();
});

test("Ctrl or Cmd with A selects all, shift extends", () => {
  expect(pressed("a", { metaKey: true })).toEqual({ do: "all" });
  expect(pressed("ArrowDown", { shiftKey: true })).toEqual({
    do: "move",
    key: "ArrowDown",
    extend: true,
  });
});
