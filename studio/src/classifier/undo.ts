import { look } from "./classifier";

/** Makes a change. */
export async function recorded<T>(_text: string, change: () => Promise<T>): Promise<T> {
  const made = await change();
  await look();
  return made;
}
