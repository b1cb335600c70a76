import { expect, test } from "vitest";
import type { Classifier } from "../../src/classifier/classifier";
import { settingsOf, templatesOf } from "../../src/use/settings";

test("all settings are sent, since those left out take their default", () => {
  const shown = {
    name: "land-cover",
    method: "gda++",
    templates: ["a {}."],
    names_carry_meaning: false,
    false_rejection_rate: 0.1,
    support_views: 3,
    remember: "all",
    remember_most: 50,
    remember_days: 7,
    coverage: 0.9,
    n_images: 4,
  } as unknown as Classifier;
  const { name, n_images, ...settings } = shown;
  expect(settingsOf(shown)).toEqual(settings);
});

test("templates are the lines that hold something", () => {
  expect(templatesOf(" a {}.\n\n  a photo of {}. \n")).toEqual(["a {}.", "a photo of {}."]);
  expect(templatesOf("\n")).toEqual([]);
});
