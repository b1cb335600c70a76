import { expect, test } from "vitest";
import { type Advice, adviceOf } from "../../src/teach/advice";

const estimate = (value: number) => ({ value, low: value - 0.1, high: value + 0.1 });
const image = { filename: "1.jpg", media_type: "image/jpeg", url: "" };

function whole(verdict: Advice["verdict"]): Advice {
  const need = (label: string, gain: number, right: number) => ({
    ...{ label, n_images: 5, n_votes: 5, text: "" },
    ...{ gain: estimate(gain), recall: estimate(right) },
  });
  return {
    ...{ classifier: "pets", verdict, text: "", more: 8, curve: null, n_can_go: 2 },
    classes: [need("cat", 0.1, 0.7), need("dog", 0.02, 0.9)],
    can_go: (["near copy", "covered"] as const).map((reason, n) => ({
      ...{ ...image, image_id: `spare ${n}`, label: "dog", reason },
      similar: { ...image, image_id: "like it", label: "dog", similarity: 1 },
    })),
    look_at: ["cat", "dog"].map((label) => ({
      ...{ ...image, image_id: `suspect ${label}`, label, named: "bird", nearest: null },
      ...{ probability: 0.9, own_probability: 0.05 },
    })),
  };
}

test("only the class that needs them most is said to need pictures, and none if all have enough", () => {
  expect(adviceOf(whole("not enough"), "cat", new Set()).need).toEqual({ more: 8, right: 0.7 });
  expect(adviceOf(whole("not enough"), "dog", new Set()).need).toBeNull();
  expect(adviceOf(whole("enough"), "cat", new Set()).need).toBeNull();
});

test("suspects and near copies are told of their own class, but those that are to stay", () => {
  const dog = adviceOf(whole("enough"), "dog", new Set());
  expect(dog.suspects.map((one) => one.image_id)).toEqual(["suspect dog"]);
  expect(dog.copies.map((one) => one.image_id)).toEqual(["spare 0"]);
  const decided = adviceOf(whole("enough"), "dog", new Set(["suspect dog", "spare 0"]));
  expect([decided.suspects, decided.copies]).toEqual([[], []]);
});
