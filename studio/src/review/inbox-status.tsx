import { texts } from "../texts/texts";
import { progress, underWay } from "./judging";

interface Props {
  n: number;
  hasMore: boolean;
  selected: number;
}

/** How many wait, are selected, and are done. */
export function InboxStatus({ n, hasMore, selected }: Props) {
  const said = texts.review;
  const now = progress.value;
  return (
    <p class="small" role="status">
      {said.waiting(n, hasMore)}
      {selected > 0 && ` · ${said.selected(selected)}`}
      {underWay.value.size > 0 && ` · ${said.progress(now.done, now.of)}`}
    </p>
  );
}
