import "./bar.css";

interface Part {
  share: number;
  /** Of the second colour. */
  other?: boolean;
}

/** Bar of one or more parts; a picture of numbers that stand beside it, so nothing reads it out. */
export function Bar({ parts }: { parts: readonly Part[] }) {
  return (
    <span class="bar of-parts" aria-hidden="true">
      {parts.map(({ share, other }) => (
        <i
          key={other ? "other" : "one"}
          class={other ? "other" : undefined}
          style={{ width: `${Math.min(1, Math.max(0, share)) * 100}%` }}
        />
      ))}
    </span>
  );
}
