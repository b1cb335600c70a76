import { expect, test } from "vitest";
import type { Classifier } from "../../src/classifier/classifier";
import { settingsOf } from "../../src/review/remember";

test("all settings are sent, since the service replaces them; what it counts is not", () => {
  const now = {
    name: "land",
    method: "gda++",
    templates: ["a photo of {}"],
    names_carry_meaning: false,
    false_rejection_rate: 0.1,
    support_views: 3,
    remember: "none",
    remember_most: 7,
    remember_days: 9,
    coverage: 0.9,
    n_images: 12,
  } as unknown as Classifier;
  expect(settingsOf(now, "uncertain")).toEqual({
    method: "gda++",
    templates: ["a photo of {}"],
    names_carry_meaning: false,
    false_rejection_rate: 0.1,
    support_views: 3,
    remember: "uncertain",
    remember_most: 7,
    remember_days: 9,
    coverage: 0.9,
  });
});
