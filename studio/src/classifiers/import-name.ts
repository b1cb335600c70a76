const LONGEST = 64;

/** A name that a classifier may have, after the file that it was exported as; "" if there is none. */
export function importName(file: string): string {
  return file
    .replace(/\.zip$/i, "")
    .replace(/ \(\d+\)$/, "") // as browsers number downloads of one name
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, LONGEST)
    .replace(/-+$/, "");
}
