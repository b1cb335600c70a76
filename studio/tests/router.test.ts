import { expect, test } from "vitest";
import { rootOf } from "../src/api/root";
import { linkTo, type Place, placeOf } from "../src/router";

test.each<Place>([
  { page: "classifiers" },
  { page: "keys" },
  { page: "classifier", name: "land-cover", tab: "try" },
])("a link leads back to its place", (place) => {
  expect(placeOf(linkTo(place))).toEqual(place);
});

test.each(["", "#", "#/", "#/nothing", "#/classifiers", "#/classifiers/"])(
  "%s is the list of classifiers",
  (fragment) => {
    expect(placeOf(fragment)).toEqual({ page: "classifiers" });
  },
);

test("a tab that there is not is the first one, and a name that cannot be decoded is one", () => {
  expect(placeOf("#/classifiers/%E0/x")).toEqual({ page: "classifier", name: "%E0", tab: "teach" });
});

test.each([
  ["/studio", ""],
  ["/handful/studio", "/handful"],
  ["/studio/studio", "/studio"],
  ["/", ""],
])("the service of %s is at %s", (path, root) => {
  expect(rootOf(path)).toBe(root);
});
