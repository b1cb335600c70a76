/** English texts. Another language is another file of the same shape. */
export const en = {
  app: {
    name: "Handful",
    skip: "Skip to the content",
    loading: "Loading …",
    classifiers: "Classifiers",
    keys: "Keys and usage",
    documentation: "API",
    logOut: "Log out",
    close: "Close",
    cancel: "Cancel",
    undo: "Undo",
    unreachable: "The service cannot be reached. Is it running?",
    defect: (detail: string) => `Something in this page went wrong: ${detail}`,
    starting: "The service is starting. This page goes on by itself.",
    readOnly: "This key may look, not change.",
    pictures: (n: number) => (n === 1 ? "1 picture" : `${number(n)} pictures`),
    classes: (n: number) => (n === 1 ? "1 class" : `${number(n)} classes`),
    percent: (share: number) => `${Math.round(100 * share)} %`,
    unknown: "unknown",
    negatives: "Not these",
  },
  logIn: {
    title: "Log in",
    key: "Key",
    how: "The service asks for a key. Whoever runs it makes one: handful keys create.",
    kept: "The key is sent once. This browser keeps a session, which ends after 12 hours.",
    submit: "Log in",
  },
  classifiers: {
    title: "Classifiers",
    none: "There is no classifier yet. Give one a name, and show it a few pictures a class.",
    create: "New classifier",
    name: "Name",
    nameRule: "Letters, digits, '.', '_' and '-'; at most 64.",
    submit: "Create",
    open: (name: string) => `Open ${name}`,
    remove: (name: string) => `Delete ${name}`,
    removeQuestion: (name: string) =>
      `Delete the classifier ${name} with all of its pictures? This cannot be undone.`,
    removeSubmit: "Delete",
    find: "Find by the beginning of the name",
    more: "More",
  },
  tabs: {
    label: "What to do with the classifier",
    teach: "Teach",
    try: "Try",
    review: "Review",
    understand: "Understand",
    use: "Use",
  },
  teach: {
    title: "Teach",
  },
  try: {
    title: "Try",
  },
  review: {
    title: "Review",
  },
  understand: {
    title: "Understand",
  },
  use: {
    title: "Use",
  },
  keys: {
    title: "Keys and usage",
  },
};

export type Texts = typeof en;

function number(n: number): string {
  return n.toLocaleString("en");
}
