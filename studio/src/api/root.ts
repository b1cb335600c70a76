/** Path that the service is served under: what stands before `/studio`, empty for most. */
export const root: string = rootOf(window.location.pathname);

export function rootOf(path: string): string {
  const at = path.lastIndexOf("/studio");
  return at < 0 ? "" : path.slice(0, at);
}
