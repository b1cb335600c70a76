import { look } from "./classifier";

/** Makes a change, of one request mostly, and looks at the classifier anew. */
export async function change<T>(_name: string, _text: string, act: () => Promise<T>): Promise<T> {
  const made = await act();
  await look();
  return made;
}
