import { useEffect, useRef, useState } from "preact/hooks";
import { classes, NEGATIVES } from "../classifier/classifier";
import { Dialog } from "../components/dialog";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { ClassSearch } from "./class-search";
import { loadMore } from "./inbox";
import { InboxDetail } from "./inbox-detail";
import { InboxGrid } from "./inbox-grid";
import { InboxStatus } from "./inbox-status";
import { judge, underWay, type Verdict } from "./judging";
import type { Command } from "./keys";
import { KeysHelp } from "./keys-help";
import type { Remembered } from "./merge";
import { extendedTo, moved, NOTHING, passed, type Selection, targets, toggled } from "./selection";
import { useKeys } from "./use-keys";
import { VerdictBar } from "./verdict-bar";

interface Props {
  name: string;
  items: Remembered[];
  hasMore: boolean;
}

type Asked = "search" | "help" | "forget" | null;

/** The inbox: a grid, one picture of it large beside, and what can be said of it. */
export function Inbox({ name, items, hasMore }: Props) {
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const [asked, ask] = useState<Asked>(null);
  const [isSeveral, setSeveral] = useState(false);
  const columns = useRef(1);
  const place = useRef(0);
  const order = items.map((one) => one.id);
  const focused = items.find((one) => one.id === selection.focus);
  const labels = classes.value.map((one) => one.label).filter((label) => label !== NEGATIVES);
  const meant = targets(selection, order);
  const isAllowed = allows("write");

  // What was focused may be gone, by somebody else: then what stands in its place has the focus.
  useEffect(() => {
    const at = selection.focus === null ? -1 : order.indexOf(selection.focus);
    if (at >= 0) place.current = at;
    else {
      const focus = order[Math.min(place.current, order.length - 1)] ?? null;
      setSelection({ ...selection, focus, anchor: focus });
    }
  });
  // The keys work at once, and when a dialog is closed, unless somebody is elsewhere already.
  useEffect(() => {
    const now = document.activeElement;
    if (asked === null && (now === null || now === document.body)) focusGrid();
  }, [asked]);

  const say = (verdict: Verdict) => {
    if (!isAllowed || meant.length === 0) return;
    judge(name, meant, verdict);
    setSelection(passed(selection, order, underWay.value));
  };
  const forget = () => {
    if (meant.length > 1) ask("forget");
    else say({ action: "delete" });
  };
  const run = (command: Command) => {
    switch (command.do) {
      case "move":
        setSelection(moved(selection, order, command.key, columns.current, command.extend));
        return;
      case "name": {
        const label = labels[command.number - 1];
        if (label !== undefined) say({ action: "correct", label });
        return;
      }
      case "confirm":
        say({ action: "confirm" });
        return;
      case "reject":
        say({ action: "reject" });
        return;
      case "forget":
        forget();
        return;
      case "toggle":
        if (selection.focus !== null) setSelection(toggled(selection, selection.focus));
        return;
      case "all":
        setSelection({ ...selection, selected: new Set(order) });
        return;
      case "none":
        setSelection({ ...selection, selected: new Set() });
        return;
      default:
        ask(command.do);
    }
  };
  const panel = useRef<HTMLDivElement>(null);
  useKeys(panel, asked === null, run);
  const pick = (id: string, event: MouseEvent) => {
    focusGrid();
    if (event.shiftKey) setSelection(extendedTo(selection, order, id));
    else if (isSeveral || event.ctrlKey || event.metaKey) setSelection(toggled(selection, id));
    else setSelection({ focus: id, anchor: id, selected: new Set() });
  };
  const close = () => ask(null);

  return (
    <div class="inbox" ref={panel}>
      <div class="inbox-side">
        {focused && <InboxDetail name={name} item={focused} />}
        {!isAllowed && <p class="notice">{texts.app.readOnly}</p>}
        <VerdictBar
          labels={labels}
          n={meant.length}
          isAllowed={isAllowed && meant.length > 0}
          onName={(label) => say({ action: "correct", label })}
          onConfirm={() => say({ action: "confirm" })}
          onReject={() => say({ action: "reject" })}
          onForget={forget}
          onSearch={() => ask("search")}
        />
      </div>
      <div class="inbox-main">
        <div class="inbox-head">
          <InboxStatus n={items.length} hasMore={hasMore} selected={selection.selected.size} />
          <span class="actions">
            <button
              type="button"
              class="link"
              onClick={() => {
                setSeveral(!isSeveral);
                run({ do: "none" });
              }}
            >
              {isSeveral ? texts.review.selectOne : texts.review.selectSeveral}
            </button>
            <button type="button" class="link" onClick={() => run({ do: "all" })}>
              {texts.review.selectAll}
            </button>
            <button type="button" class="link" onClick={() => ask("help")}>
              <kbd>?</kbd> {texts.review.keys}
            </button>
          </span>
        </div>
        <InboxGrid
          name={name}
          items={items}
          selection={selection}
          onColumns={(n) => {
            columns.current = n;
          }}
          onPick={pick}
          onNearEnd={() => void loadMore()}
        />
      </div>
      {asked === "help" && <KeysHelp onClose={close} />}
      {asked === "search" && (
        <ClassSearch
          labels={labels}
          onClose={close}
          onChoose={(label) => {
            close();
            say({ action: "correct", label });
          }}
        />
      )}
      {asked === "forget" && (
        <Dialog title={texts.review.forgetMany(meant.length)} onClose={close}>
          <p>{texts.review.forgetQuestion}</p>
          <div class="actions">
            <button type="button" onClick={close}>
              {texts.app.cancel}
            </button>
            <button
              type="button"
              class="danger"
              onClick={() => {
                close();
                say({ action: "delete" });
              }}
            >
              {texts.review.forget}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

function focusGrid(): void {
  document.getElementById("inbox-grid")?.focus({ preventScroll: true });
}
