import { expect, test } from "vitest";
import {
  extendedTo,
  moved,
  NOTHING,
  passed,
  type Selection,
  targets,
  toggled,
} from "../../src/review/selection";

const order = ["a", "b", "c", "d", "e", "f", "g"];
const at = (focus: string): Selection => ({ focus, anchor: focus, selected: new Set() });

test("arrows move in rows", () => {
  expect(moved(at("b"), order, "ArrowDown", 3, false).focus).toBe("e");
  expect(moved(at("e"), order, "ArrowUp", 3, false).focus).toBe("b");
  expect(moved(at("a"), order, "ArrowLeft", 3, false).focus).toBe("a");
  expect(moved(at("a"), order, "End", 3, false).focus).toBe("g");
});

test("up from the first row stays; down to a short last row goes to its end", () => {
  expect(moved(at("b"), order, "ArrowUp", 3, false).focus).toBe("b");
  expect(moved(at("f"), order, "ArrowDown", 3, false).focus).toBe("g");
  expect(moved(at("g"), order, "ArrowDown", 3, false).focus).toBe("g");
});

test("shift selects all from where it began, also when one turns back", () => {
  const two = moved(moved(at("b"), order, "ArrowRight", 3, true), order, "ArrowRight", 3, true);
  expect([...two.selected]).toEqual(["b", "c", "d"]);
  const back = moved(two, order, "ArrowLeft", 3, true);
  expect([...back.selected]).toEqual(["b", "c"]);
  expect([...extendedTo(back, order, "a").selected]).toEqual(["a", "b"]);
});

test("an action is for the selected ones, or else for the focused one", () => {
  expect(targets(toggled(toggled(at("a"), "d"), "b"), order)).toEqual(["b", "d"]);
  expect(targets(at("c"), order)).toEqual(["c"]);
  expect(targets(NOTHING, order)).toEqual([]);
});

test("after an action the next one that is open has the focus", () => {
  expect(passed(at("c"), order, new Set(["c"])).focus).toBe("d");
  expect(passed(at("g"), order, new Set(["g"])).focus).toBe("f");
  expect(passed(at("g"), order, new Set(order)).focus).toBeNull();
  const some = { focus: "b", anchor: "b", selected: new Set(["b", "c", "f"]) };
  expect(passed(some, order, new Set(["b", "c"]))).toEqual({
    focus: "d",
    anchor: "d",
    selected: new Set(["f"]),
  });
});
