import { expect, test } from "vitest";
import type { Classifier } from "../../src/classifier/classifier";
import { settingsOf } from "../../src/classifier/settings";

test("all settings are sent, since those left out take their default", () => {
  const shown = {
    name: "land-cover",
    method: "gda++",
    templates: ["a {}."],
    names_carry_meaning: false,
    false_rejection_rate: 0.1,
    support_views: 3,
    prompts: "satellite",
    remember: "all",
    remember_most: 50,
    remember_days: 7,
    coverage: 0.9,
    n_images: 4,
  } as unknown as Classifier;
  const { name, n_images, ...settings } = shown;
  expect(settingsOf(shown)).toEqual(settings);
});

test("a setting that is changed leaves the others as they are", () => {
  const now = {
    name: "land",
    method: "gda++",
    templates: ["a photo of {}"],
    names_carry_meaning: false,
    false_rejection_rate: 0.1,
    support_views: 3,
    prompts: "satellite",
    remember: "none",
    remember_most: 7,
    remember_days: 9,
    coverage: 0.9,
    n_images: 12,
  } as unknown as Classifier;
  expect({ ...settingsOf(now), remember: "uncertain" }).toEqual({
    method: "gda++",
    templates: ["a photo of {}"],
    names_carry_meaning: false,
    false_rejection_rate: 0.1,
    support_views: 3,
    prompts: "satellite",
    remember: "uncertain",
    remember_most: 7,
    remember_days: 9,
    coverage: 0.9,
  });
});
