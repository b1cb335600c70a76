import { texts } from "../texts/texts";

export function UsePage(_: { name: string }) {
  return <h2>{texts.use.title}</h2>;
}
