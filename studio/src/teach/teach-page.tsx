import { texts } from "../texts/texts";

export function TeachPage(_: { name: string }) {
  return <h2>{texts.teach.title}</h2>;
}
