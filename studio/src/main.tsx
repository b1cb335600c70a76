// Before the pages, whose rules of the same weight win.
import "./styles/base.css";

import { render } from "preact";
import { asProblem } from "./api/problem";
import { App } from "./app";
import { failureText, tellFailure } from "./components/toasts";
import { followSession, loadSession } from "./session/session";

const MILLISECONDS_BETWEEN_TRIES = 1500;
const page = document.getElementById("studio");
if (page === null) throw new Error("The page has no place for the studio.");
render(<App />, page);
void begin();

/** Waits for a service that is still starting, or away for a moment. */
async function begin(): Promise<void> {
  for (let told = ""; ; ) {
    try {
      await loadSession();
      followSession();
      return;
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status > 0 && problem.status !== 503) {
        tellFailure(problem);
        return;
      }
      if (told !== failureText(problem)) tellFailure(problem);
      told = failureText(problem);
      await new Promise((resolve) => setTimeout(resolve, MILLISECONDS_BETWEEN_TRIES));
    }
  }
}
