import { useEffect, useRef, useState } from "preact/hooks";

/** Whether something is, or was, near what the user sees: nothing for it is asked for before.
 *
 * @param margin - How near, as of CSS.
 */
export function useNear(margin: string): [boolean, { current: HTMLElement | null }] {
  const element = useRef<HTMLElement>(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    if (element.current === null) return;
    const watch = new IntersectionObserver(
      (seen) => {
        if (!seen.some((one) => one.isIntersecting)) return;
        setNear(true);
        watch.disconnect();
      },
      { rootMargin: margin },
    );
    watch.observe(element.current);
    return () => watch.disconnect();
  }, []);
  return [near, element];
}
