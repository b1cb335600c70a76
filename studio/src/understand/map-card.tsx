import { thumbnailUrl } from "../api/pictures";
import { shownLabel } from "../classifier/labels";
import type { Picture } from "./acts";
import type { Place } from "./map-view";

interface CardProps {
  name: string;
  point: Picture;
  at: Place;
  side: number;
  onOpen: () => void;
}

/** The picture of a point beside it: a button for a finger; a mouse presses the point. */
export function MapCard({ name, point, at: [x, y], side, onOpen }: CardProps) {
  const vertical = y > side / 2 ? { bottom: `${side - y + 12}px` } : { top: `${y + 12}px` };
  const horizontal =
    x > side / 2 ? { right: `${Math.max(side - x, 0)}px` } : { left: `${Math.max(x, 0)}px` };
  return (
    <button
      type="button"
      class="map-card"
      tabIndex={-1}
      style={{ ...vertical, ...horizontal }}
      onClick={onOpen}
    >
      <img src={thumbnailUrl(name, point.image_id)} alt="" decoding="async" />
      <bdi>{shownLabel(point.label)}</bdi>
    </button>
  );
}
