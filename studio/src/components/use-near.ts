import { useEffect, useRef, useState } from "preact/hooks";

/** Whether something is, or was, near what the user sees: no pictures are asked for before. */
export function useNear(): [boolean, { current: HTMLElement | null }] {
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
      { rootMargin: "400px" },
    );
    watch.observe(element.current);
    return () => watch.disconnect();
  }, []);
  return [near, element];
}
