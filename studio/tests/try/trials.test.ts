import { beforeEach, expect, test, vi } from "vitest";
import { Problem } from "../../src/api/problem";
import { version } from "../../src/classifier/classifier";
import { type Session, session } from "../../src/session/session";
import { type Prediction, predict, predictUnremembered } from "../../src/try/predicting";
import { ask, choose, chosen, openFor, step, trials, tryPictures } from "../../src/try/trials";

vi.mock("../../src/try/predicting", () => ({
  predict: vi.fn(),
  predictUnremembered: vi.fn(),
}));
const asked = vi.mocked(predict);
const askedAgain = vi.mocked(predictUnremembered);

const answer = (label: string) =>
  ({ label, known: true, top_k: [], evidence: [] }) as unknown as Prediction;
const pictures = (...names: string[]) => names.map((name) => ({ file: new Blob([name]), name }));
const settled = () => new Promise((resolve) => setTimeout(resolve));
let opened = 0;

beforeEach(() => {
  asked.mockReset();
  opened += 1;
  openFor(`classifier-${opened}`);
});

test("many pictures are shown at once and asked about two at a time", async () => {
  const open: ((value: Prediction) => void)[] = [];
  asked.mockImplementation(() => new Promise((resolve) => open.push(resolve)));
  tryPictures(pictures("a", "b", "c", "d", "e"));
  expect(trials.value.map((one) => one.name)).toEqual(["a", "b", "c", "d", "e"]);
  expect(chosen.value?.name).toBe("a");
  await settled();
  expect(open.length).toBe(2);
  for (let done = 0; done < 5; done += 1) {
    open[done]?.(answer("x"));
    await settled();
  }
  expect(asked).toHaveBeenCalledTimes(5);
  expect(trials.value.every((one) => one.answer?.label === "x")).toBe(true);
});

test("what is refused stands on the picture, and the others are answered", async () => {
  const refusal = new Problem(422, "", "", "no picture");
  asked.mockRejectedValueOnce(refusal).mockResolvedValue(answer("x"));
  tryPictures(pictures("bad", "good"));
  await settled();
  expect(trials.value.map((one) => one.problem)).toEqual([refusal, null]);
  expect(trials.value[1]?.answer?.label).toBe("x");
});

test("a picture that is asked about again keeps its answer until then, and is remembered once", async () => {
  asked.mockResolvedValueOnce(answer("old"));
  tryPictures(pictures("a"));
  await settled();
  const id = trials.value[0]?.id ?? 0;
  let tell: (value: Prediction) => void = () => {};
  askedAgain.mockReturnValueOnce(new Promise((resolve) => (tell = resolve)));
  version.value += 1;
  const again = ask(id);
  expect(chosen.value?.answer?.label).toBe("old");
  expect(chosen.value?.version).toBe(version.value);
  tell(answer("new"));
  await again;
  expect(chosen.value?.answer?.label).toBe("new");
});

test("one steps through them, and not beyond", () => {
  asked.mockResolvedValue(answer("x"));
  tryPictures(pictures("a", "b"));
  step(1);
  expect(chosen.value?.name).toBe("b");
  step(1);
  expect(chosen.value?.name).toBe("b");
  choose(trials.value[0]?.id ?? 0);
  step(-1);
  expect(chosen.value?.name).toBe("a");
});

test("pictures of another classifier are let go of", () => {
  asked.mockResolvedValue(answer("x"));
  tryPictures(pictures("a"));
  openFor("another");
  expect(trials.value).toEqual([]);
  expect(chosen.value).toBe(null);
});

test("whoever signs in next does not see the pictures of the one before", () => {
  asked.mockResolvedValue(answer("x"));
  openFor("shared");
  tryPictures(pictures("a"));
  openFor("shared");
  expect(trials.value.length).toBe(1);
  session.value = { ...({} as Session), key_id: "9f2c41d07ab35e86" };
  openFor("shared");
  expect(trials.value).toEqual([]);
});
