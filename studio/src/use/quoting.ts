/** Segment of a path in which nothing is left that a shell or a program would read otherwise. */
export function segment(text: string): string {
  const hex = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, hex);
}

/** Word of a POSIX shell. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** String of JavaScript, and of Python as well: both read the escapes of JSON. */
export function literal(text: string): string {
  return JSON.stringify(text);
}
