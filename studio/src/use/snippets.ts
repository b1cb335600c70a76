import { literal, segment, shellWord } from "./quoting";

export const LANGUAGES = ["curl", "python", "requests", "javascript"] as const;
export type Language = (typeof LANGUAGES)[number];

/** Which classifier lines are for, and how programs reach it. */
export interface Target {
  /** Address of the service, without a slash at the end. */
  service: string;
  classifier: string;
  /** Class that the picture is registered under. */
  label: string;
  /** Whether the service asks for a key; it is read from the environment, never written down. */
  needsKey: boolean;
}

/** Lines that ask about a picture, and lines that register one. */
export interface Snippets {
  predict: string;
  register: string;
}

export const snippets: Record<Language, (target: Target) => Snippets> = {
  curl: (target) => ({
    predict: curl(target, predictAddress(target), [
      "-H 'content-type: image/jpeg'",
      "--data-binary @picture.jpg",
    ]),
    register: curl(target, registerAddress(target), ["-F files=@picture.jpg"]),
  }),
  python: (target) => ({
    predict: client(target, [
      'answer = classifier.predict("picture.jpg")',
      "print(answer.label, answer.probability, answer.known)",
    ]),
    register: client(target, [`classifier.add(${literal(target.label)}, ["picture.jpg"])`]),
  }),
  requests: (target) => ({
    predict: requests(target, predictAddress(target), [
      'prediction = answer.json()["predictions"][0]',
      'print(prediction["label"], prediction["probability"], prediction["known"])',
    ]),
    register: requests(target, registerAddress(target), ['print(answer.json()["images"][0])']),
  }),
  javascript: (target) => ({
    predict: javascript(target, predictAddress(target), [
      "const [prediction] = (await answer.json()).predictions;",
      "console.log(prediction.label, prediction.probability, prediction.known);",
    ]),
    register: javascript(target, registerAddress(target), [
      "console.log((await answer.json()).images[0]);",
    ]),
  }),
};

function predictAddress({ service, classifier }: Target): string {
  return `${service}/v1/classifiers/${segment(classifier)}/predict`;
}

function registerAddress({ service, classifier, label }: Target): string {
  return `${service}/v1/classifiers/${segment(classifier)}/classes/${segment(label)}/images`;
}

function curl({ needsKey }: Target, address: string, options: string[]): string {
  const key = needsKey ? ['-H "authorization: Bearer $HANDFUL_KEY"'] : [];
  return `curl ${[...key, ...options, shellWord(address)].join(" \\\n    ")}`;
}

function client({ service, classifier, needsKey }: Target, lines: string[]): string {
  const key = needsKey ? ', key=os.environ["HANDFUL_KEY"]' : "";
  return [
    ...(needsKey ? ["import os", ""] : []),
    "from handful_client import Client",
    "",
    `with Client(${literal(service)}${key}) as client:`,
    `    classifier = client.classifier(${literal(classifier)})`,
    ...lines.map((line) => `    ${line}`),
  ].join("\n");
}

function requests({ needsKey }: Target, address: string, lines: string[]): string {
  const key = needsKey ? [`headers["authorization"] = "Bearer " + os.environ["HANDFUL_KEY"]`] : [];
  return [
    ...(needsKey ? ["import os", ""] : []),
    "import requests",
    "",
    'headers = {"content-type": "image/jpeg"}',
    ...key,
    'with open("picture.jpg", "rb") as picture:',
    `    answer = requests.post(`,
    `        ${literal(address)}, data=picture, headers=headers, timeout=60`,
    `    )`,
    "answer.raise_for_status()",
    ...lines,
  ].join("\n");
}

function javascript({ needsKey }: Target, address: string, lines: string[]): string {
  const key = needsKey ? ['    authorization: "Bearer " + process.env.HANDFUL_KEY,'] : [];
  return [
    'import { readFile } from "node:fs/promises";',
    "",
    `const answer = await fetch(${literal(address)}, {`,
    '  method: "POST",',
    "  headers: {",
    '    "content-type": "image/jpeg",',
    ...key,
    "  },",
    '  body: await readFile("picture.jpg"),',
    "});",
    "if (!answer.ok) throw new Error((await answer.json()).detail);",
    ...lines,
  ].join("\n");
}
