import { texts } from "../texts/texts";

export function UnderstandPage(_: { name: string }) {
  return <h2>{texts.understand.title}</h2>;
}
