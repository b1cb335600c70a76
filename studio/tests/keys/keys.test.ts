import { expect, test } from "vitest";
import { endOf, inOrder, type Key, stateOf, termsOf } from "../../src/keys/keys";

const now = Date.parse("2027-01-10T00:00:00Z");
const key = (fields: Partial<Key>): Key => ({
  id: "0",
  tenant: null,
  name: "",
  scopes: [],
  classifiers: null,
  created_at: "2027-01-01T00:00:00Z",
  expires_at: null,
  revoked_at: null,
  used_at: null,
  requests_per_second: null,
  images_per_second: null,
  ...fields,
});

test("a key that was replaced is valid until it ends", () => {
  const replaced = key({ revoked_at: "2027-01-11T00:00:00Z", expires_at: "2027-02-01T00:00:00Z" });
  expect(stateOf(replaced, now)).toBe("valid");
  expect(endOf(replaced)).toBe("2027-01-11T00:00:00Z");
  expect(stateOf(replaced, now + 2 * 86_400_000)).toBe("revoked");
  expect(stateOf(key({ expires_at: "2027-01-09T00:00:00Z" }), now)).toBe("expired");
});

test("valid keys come first, the newest of them before the others", () => {
  const keys = [
    key({ id: "old" }),
    key({ id: "revoked", created_at: "2027-01-09T00:00:00Z", revoked_at: "2027-01-09T01:00:00Z" }),
    key({ id: "new", created_at: "2027-01-08T00:00:00Z" }),
  ];
  expect(inOrder(keys, now).map((one) => one.id)).toEqual(["new", "old", "revoked"]);
});

test("terms are those of the form; what is empty is for all and for ever", () => {
  const form = new FormData();
  form.append("name", " line 2 ");
  form.append("scope", "predict");
  form.append("scope", "read");
  form.append("classifiers", "");
  form.append("days", "0");
  form.append("tenant", " ");
  const terms = {
    name: "line 2",
    scopes: ["read", "predict"],
    classifiers: null,
    expires_at: null,
  };
  expect(termsOf(form, now)).toEqual(terms);
  form.set("classifiers", "a, b  c");
  form.set("days", "30");
  form.set("tenant", "lab");
  expect(termsOf(form, now)).toEqual({
    ...terms,
    classifiers: ["a", "b", "c"],
    expires_at: "2027-02-09T00:00:00.000Z",
    tenant: "lab",
  });
});
