import { look } from "./classifier";

/** Makes a change of one request, tells it with a way back, and looks at the classifier anew. */
export async function change<T>(
  _name: string,
  _text: string | ((result: T) => string),
  act: () => Promise<T>,
): Promise<T> {
  const result = await act();
  await look();
  return result;
}
