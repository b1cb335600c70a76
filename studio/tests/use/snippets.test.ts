import { describe, expect, test } from "vitest";
import { LANGUAGES, snippets } from "../../src/use/snippets";

const target = {
  service: "https://handful.example/below",
  classifier: "land-cover",
  label: 'it\'s a "river" | 河 $(rm) !',
  needsKey: true,
};

describe("lines to copy", () => {
  test.each(LANGUAGES)("%s reads the key from the environment, if one is needed", (language) => {
    const withKey = snippets[language](target);
    const without = snippets[language]({ ...target, needsKey: false });
    for (const lines of [withKey.predict, withKey.register]) expect(lines).toContain("HANDFUL_KEY");
    for (const lines of [without.predict, without.register]) {
      expect(lines).not.toContain("HANDFUL_KEY");
    }
  });

  test("curl is given one word, whatever the label", () => {
    const { register } = snippets.curl(target);
    expect(register).toBe(
      [
        'curl -H "authorization: Bearer $HANDFUL_KEY" \\',
        "    -F files=@picture.jpg \\",
        "    'https://handful.example/below/v1/classifiers/land-cover/classes/" +
          "it%27s%20a%20%22river%22%20%7C%20%E6%B2%B3%20%24%28rm%29%20%21/images'",
      ].join("\n"),
    );
  });

  test("the client gets the label itself, as a string of Python", () => {
    const { register } = snippets.python(target);
    expect(register).toContain(
      'classifier.add("it\'s a \\"river\\" | 河 $(rm) !", ["picture.jpg"])',
    );
    expect(register).toContain('Client("https://handful.example/below", key=os.environ');
  });
});
