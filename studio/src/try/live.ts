import { asProblem, type Problem } from "../api/problem";

const SHORTEST_MILLISECONDS = 100;
const MILLISECONDS_AFTER_REFUSAL = 1000;
const RATE_OVER_MILLISECONDS = 2000;

interface Steps<Frame, Answer> {
  take: () => Promise<Frame>;
  ask: (frame: Frame) => Promise<Answer>;
  onAnswer: (answer: Answer, milliseconds: number) => void;
  /** Told of what was refused; it goes on after a while if that may pass. */
  onProblem: (problem: Problem, goesOn: boolean) => void;
}

/** Asks of one frame after the other, each taken once the last one is answered.
 *
 * So nothing piles up, however slow the service is; and a fast one is asked ten times a second.
 *
 * @returns What ends it.
 */
export function follow<Frame, Answer>(steps: Steps<Frame, Answer>): () => void {
  let ended = false;
  const run = async () => {
    while (!ended) {
      const begun = performance.now();
      let pause = SHORTEST_MILLISECONDS;
      try {
        const answer = await steps.ask(await steps.take());
        if (!ended) steps.onAnswer(answer, performance.now() - begun);
      } catch (error) {
        const problem = asProblem(error);
        const goesOn = mayPass(problem);
        if (!ended) steps.onProblem(problem, goesOn);
        if (!goesOn) return;
        pause = MILLISECONDS_AFTER_REFUSAL;
      }
      await sleep(Math.max(0, begun + pause - performance.now()));
    }
  };
  void run();
  return () => {
    ended = true;
  };
}

/** Whether the same request may be answered in a moment. */
export function mayPass(problem: Problem): boolean {
  return [0, 429, 502, 503, 504].includes(problem.status);
}

/** Answers a second over the last two, from the times of the answers. */
export function rateOf(times: readonly number[], now: number): number {
  const recent = times.filter((time) => time > now - RATE_OVER_MILLISECONDS);
  const first = recent[0];
  const last = recent[recent.length - 1];
  if (first === undefined || last === undefined || last <= first) return 0;
  return (1000 * (recent.length - 1)) / (last - first);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
