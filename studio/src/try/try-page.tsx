import { texts } from "../texts/texts";

export function TryPage(_: { name: string }) {
  return <h2>{texts.try.title}</h2>;
}
