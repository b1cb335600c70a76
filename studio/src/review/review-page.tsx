import { texts } from "../texts/texts";

export function ReviewPage(_: { name: string }) {
  return <h2>{texts.review.title}</h2>;
}
