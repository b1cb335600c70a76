import { texts } from "../texts/texts";

export function KeysPage() {
  return <h1>{texts.keys.title}</h1>;
}
