import { api, body } from "../api/client";
import { asProblem } from "../api/problem";
import type { components } from "../api/schema";
import { type Classifier, look } from "./classifier";

export type Settings = Required<Omit<components["schemas"]["ClassifierSettingsIn"], "classes">>;

const TRIES = 3;

/** Changes some settings of a classifier. All are sent, since those left out take their default.
 *
 * @throws Problem - They were refused.
 */
export async function changeSettings(name: string, change: Partial<Settings>): Promise<void> {
  const path = { name };
  for (let left = TRIES; ; left -= 1) {
    const now = await api.GET("/v1/classifiers/{name}", { params: { path }, cache: "no-store" });
    const header = { "if-match": now.response.headers.get("etag") ?? "*" };
    const settings = { ...settingsOf(body(now)), ...change };
    try {
      await api.PUT("/v1/classifiers/{name}", { params: { path, header }, body: settings });
      await look();
      return;
    } catch (error) {
      // Somebody else has changed it in between: what they did is kept.
      if (asProblem(error).status !== 412 || left <= 1) throw error;
    }
  }
}

export function settingsOf(shown: Classifier): Settings {
  return {
    method: shown.method as Settings["method"],
    templates: shown.templates,
    names_carry_meaning: shown.names_carry_meaning,
    false_rejection_rate: shown.false_rejection_rate,
    support_views: shown.support_views,
    multi_label: shown.multi_label,
    prompts: shown.prompts,
    remember: shown.remember,
    remember_most: shown.remember_most,
    remember_days: shown.remember_days,
    coverage: shown.coverage,
  };
}
