import { useEffect, useState } from "preact/hooks";
import { api, body } from "../api/client";
import type { components } from "../api/schema";
import { Bar } from "../components/bar";
import { tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";

type Shown = components["schemas"]["UsageOut"];

const WHAT = ["classifiers", "classes", "images", "bytes"] as const;

/** What the tenant owns, and how much of it it may own. */
export function Usage() {
  const [usage, setUsage] = useState<Shown | null>(null);
  useEffect(() => {
    api
      .GET("/v1/usage")
      .then((answer) => setUsage(body(answer)))
      .catch(tellFailure);
  }, []);
  return (
    <section class="usage">
      <h2>{texts.keys.usage}</h2>
      {usage === null ? (
        <p class="quiet">{texts.app.loading}</p>
      ) : (
        <>
          {usage.tenant !== null && (
            <p class="quiet">
              {texts.keys.tenant} <bdi>{usage.tenant}</bdi>
            </p>
          )}
          <dl>
            {WHAT.map((what) => {
              const { used, limit } = usage[what];
              const share = limit === null ? null : limit > 0 ? used / limit : 1;
              return (
                <div key={what}>
                  <dt>{texts.keys.what[what]}</dt>
                  <dd>
                    <span>
                      {texts.keys.used[what === "bytes" ? "bytes" : "number"](used, limit)}
                    </span>
                    {share !== null && <Bar parts={[{ share, other: share >= 0.9 }]} />}
                  </dd>
                </div>
              );
            })}
          </dl>
          <Rates usage={usage} />
        </>
      )}
    </section>
  );
}

function Rates({ usage }: { usage: Shown }) {
  const { requests_per_second: requests, images_per_second: images } = usage;
  if (requests === null && images === null) return null;
  return (
    <ul class="plain quiet">
      {requests !== null && <li>{texts.keys.requestsPerSecond(requests)}</li>}
      {images !== null && <li>{texts.keys.imagesPerSecond(images)}</li>}
    </ul>
  );
}
