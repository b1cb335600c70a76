import { cleanup, render } from "@testing-library/preact";
import { afterEach, expect, test, vi } from "vitest";
import { Dialog } from "../../src/components/dialog";

afterEach(cleanup);

test("a dialog that was taken away tells nothing when its close event comes", () => {
  const onClose = vi.fn();
  const { container, unmount } = render(
    <Dialog title="a" onClose={onClose}>
      text
    </Dialog>,
  );
  const dialog = container.querySelector("dialog");
  unmount();
  dialog?.dispatchEvent(new Event("close"));
  expect(onClose).not.toHaveBeenCalled();
});

test("a dialog that the user closes tells so once", () => {
  const onClose = vi.fn();
  const { container } = render(
    <Dialog title="a" onClose={onClose}>
      text
    </Dialog>,
  );
  container.querySelector("dialog")?.dispatchEvent(new Event("close"));
  expect(onClose).toHaveBeenCalledTimes(1);
});
