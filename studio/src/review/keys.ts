/** What a key asks for. */
export type Command =
  | { do: "move"; key: string; extend: boolean }
  | { do: "name"; number: number }
  | { do: "confirm" | "reject" | "forget" | "toggle" | "all" | "none" | "search" | "help" };

type Pressed = Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">;

const MOVES = /^(Arrow(Up|Down|Left|Right)|Page(Up|Down)|Home|End)$/;

/** The command of a key, and null for one that is none of this page's. */
export function commandOf(event: Pressed): Command | null {
  const { key } = event;
  if (event.ctrlKey || event.metaKey) {
    return key.toLowerCase() === "a" && !event.altKey ? { do: "all" } : null;
  }
  if (event.altKey) return null;
  if (MOVES.test(key)) return { do: "move", key, extend: event.shiftKey };
  if (/^[1-9]$/.test(key)) return { do: "name", number: Number(key) };
  switch (key) {
    case "Enter":
      return { do: "confirm" };
    case "0":
    case "n":
    case "N":
      return { do: "reject" };
    case "Delete":
    case "Backspace":
      return { do: "forget" };
    case " ":
      return { do: "toggle" };
    case "Escape":
      return { do: "none" };
    case "/":
      return { do: "search" };
    case "?":
      return { do: "help" };
    default:
      return null;
  }
}
