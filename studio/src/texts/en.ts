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
    copy: "Copy",
    copied: "Copied",
    marked: "Press Ctrl+C",
  },
  logIn: {
    title: "Log in",
    key: "Key",
    how: "The service asks for a key. Whoever runs it makes one: handful keys create.",
    kept: "The key is sent once. This browser keeps a session, which ends after 12 hours.",
    submit: "Log in",
    proxy:
      "You are not signed in. A proxy before this service signs people in: open the studio by its address, sign in there, and ask whoever runs it if that changes nothing.",
    again: "Try again",
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
    title: "Try a picture",
    how: "Drop pictures anywhere on this page, paste one, or choose some. They are only asked about, not added.",
    choose: "Choose pictures",
    live: "Film live",
    dropHint: "or drop or paste more",
    noPictures: (names: string[]) =>
      `${names.length === 1 ? `${names[0]} is no picture.` : `${number(names.length)} of these files are no pictures.`} Zips and folders go to Teach.`,
    notAllowed: "This key may not ask about pictures.",
    untaught: "There is nothing to try yet",
    untaughtHow: "This classifier has no classes. Show it a few pictures of each kind first.",
    toTeach: "Teach it",
    notShown: "This browser cannot show the picture. The service may know it all the same.",
    sending: "Being sent",
    asking: "Asking …",
    noAnswer: "The service has answered nothing about this picture.",
    refused: "refused",
    again: "Try again",
    answeredIn: (milliseconds: number) => `Answered in ${Math.round(milliseconds)} ms`,
    unknown: (label: string) =>
      `It does not look like anything that was taught. The nearest class is ${isolated(label)}.`,
    several: (labels: string[]) => `It may be any of these: ${labels.map(isolated).join(", ")}.`,
    noneOfThem: "None of the classes is likely enough to be named.",
    why: "Why",
    byName: "The name",
    byPictures: "Your pictures",
    decided: {
      name: (first: string, second: string) =>
        `It is the name that speaks for ${isolated(first)}, more than for ${isolated(second)}.`,
      pictures: (first: string, second: string) =>
        `It is your pictures that speak for ${isolated(first)}, more than for ${isolated(second)}.`,
      both: (first: string, second: string) =>
        `Both the name and your pictures speak for ${isolated(first)}, more than for ${isolated(second)}.`,
    },
    parts: (name: number, pictures: number) =>
      `name ${Math.round(100 * name)}, pictures ${Math.round(100 * pictures)}`,
    partsExplained:
      "The longest bar is the answer. Each part is how much more it speaks for the class than for the last one of these.",
    evidence: "Your pictures that are most like it",
    alike: (similarity: number) => `${Math.round(100 * similarity)} % alike`,
    strip: "Pictures that were tried",
    isItRight: "Right?",
    right: "Yes, add it as an example of",
    wrong: "Wrong? It is …",
    negative: "None of these",
    another: "Another class, or a new one",
    add: "Add",
    isExample: (label: string) => `It is an example of ${isolated(label)} now.`,
    wasExample: (label: string) => `It was an example of ${isolated(label)} already.`,
    isNegative: "It is an example of what is none of the classes now.",
    wasNegative: "It was an example of what is none of the classes already.",
    undoLabel: (label: string) => `Added to ${label}`,
    undoNegative: "Added to what is none of the classes",
    before: "Before",
    after: "After",
    nothing: "nothing to choose from",
    keepFrame: "Keep this frame",
    endLive: "Stop",
    frameName: "camera.jpg",
    cameraShows: "What the camera shows",
    openingCamera: "Opening the camera …",
    rate: (perSecond: number, milliseconds: number) =>
      `${perSecond.toFixed(1)} answers a second, each in ${Math.round(milliseconds)} ms`,
    camera: {
      insecure:
        "Browsers give no camera to pages that come without encryption. Open the studio by https, or on the service's own machine by localhost.",
      denied: "The camera is not allowed here. Allow it in the browser's settings for this page.",
      none: "There is no camera.",
      broken: "The camera cannot be opened. Another program may be using it.",
    },
  },
  review: {
    title: "Review",
  },
  understand: {
    title: "Understand",
  },
  use: {
    title: "From your own programs",
    how: "Copy these lines; picture.jpg is a picture of yours.",
    key: "The lines read the key from the variable HANDFUL_KEY of the environment. Whoever has the key may do what it allows: keep it out of files that others see.",
    toKeys: "Make a key",
    proxy:
      "Here a proxy says who somebody is. Ask whoever runs the service how programs sign in to it.",
    languages: "Language",
    language: {
      curl: "curl",
      python: "Python",
      requests: "Python, requests",
      javascript: "JavaScript",
    },
    needs: {
      curl: "For a POSIX shell.",
      python: "Needs the package handful-client.",
      requests: "Needs the package requests.",
      javascript: "For Node 20 or newer, as a file that ends in .mjs.",
    },
    predict: "Ask about a picture",
    register: "Add a picture to a class",
    ofClass: "Class",
    label: "my class",
    export: "Take it along",
    exportHow:
      "The classifier as one file: a backup, or to be imported in another service or read in Python.",
    exportWhole: "With its pictures",
    exportWithoutImages: "Without pictures",
    exportIndex: "Index for FAISS",
    settings: "Settings",
    remember: {
      title: "Remember pictures that are asked about",
      how: "They wait under Review until you say what they are. Pictures that the classifier did not know teach it most.",
      none: "None",
      unknown: "What it took for unknown",
      uncertain: "What it took for unknown, or was unsure of",
      all: "All of them",
    },
    names: {
      title: "Names of classes",
      carryMeaning: "The names say what is to be seen (“river”, not “class 7”)",
      templates: "Texts that a name is put into, one a line",
      templatesHow:
        "{} stands for the name, as in “a satellite photo of {}.” Empty: the usual ones.",
    },
    save: "Save",
    saved: "Saved",
    rename: "Rename",
    newName: "New name",
    renameSubmit: "Rename",
    copy: "Copy",
    nameOfCopy: "Name of the copy",
    copySubmit: "Copy",
  },
  keys: {
    title: "Keys and usage",
    usage: "Usage",
    tenant: "of",
    what: { classifiers: "Classifiers", classes: "Classes", images: "Pictures", bytes: "Storage" },
    used: {
      number: (used: number, limit: number | null) =>
        limit === null ? number(used) : `${number(used)} of ${number(limit)}`,
      bytes: (used: number, limit: number | null) =>
        limit === null ? bytes(used) : `${bytes(used)} of ${bytes(limit)}`,
    },
    requestsPerSecond: (n: number) => `At most ${number(n)} requests a second`,
    imagesPerSecond: (n: number) => `At most ${number(n)} pictures a second`,
    keys: "Keys",
    none: {
      none: "The service asks nobody for a key. Whoever runs it turns keys on by HANDFUL_AUTH=keys.",
      proxy: "A proxy says who somebody is, so there are no keys.",
      keys: "",
    },
    make: "New key",
    makeSubmit: "Make it",
    name: "What it is for",
    mayDo: "What it may do",
    scope: {
      read: "Look at classifiers, pictures and reports",
      predict: "Ask about pictures",
      write: "Change classifiers",
      admin: "Make and revoke keys, read the audit log",
    },
    scopeShort: { read: "look", predict: "ask", write: "change", admin: "administer" },
    may: (what: string[]) => `May ${what.join(", ")}:`,
    ofAll: "all classifiers",
    of: "only",
    classifiers: "Only these classifiers",
    classifiersRule: "Names with spaces or commas between; empty: all.",
    expires: "Ends",
    inDays: (days: number) =>
      days === 0 ? "never, until it is revoked" : days === 1 ? "in a day" : `in ${days} days`,
    ofTenant: "Of another tenant",
    unnamed: "unnamed",
    yours: "yours",
    state: { valid: "valid", revoked: "revoked", expired: "expired" },
    made: "Made",
    unused: "never used",
    lastUsed: "last used",
    ends: "ends",
    ended: "ended",
    rotate: "Replace",
    rotateOf: (name: string) => `Replace the key ${name}`,
    rotateHow: "There will be another key that may do the same. The old one ends after a while.",
    rotateSubmit: "Replace it",
    grace: "The old key ends",
    inSeconds: (seconds: number) =>
      ({ 0: "at once", 3600: "in an hour", 86400: "in a day", 604800: "in a week" })[seconds] ??
      `in ${seconds} s`,
    revoke: "Revoke",
    revokeOf: (name: string) => `Revoke the key ${name}`,
    revokeQuestion: "It stops within seconds, for all who use it. This cannot be undone.",
    revokeOwn: "It is the key that you are signed in with: you will be signed out.",
    newKey: "The new key",
    shownOnce: "Copy it now. It is shown this once and kept nowhere.",
    kept: "I have it",
  },
};

export type Texts = typeof en;

/** Name within a sentence: of another direction it does not turn around what stands beside it. */
function isolated(name: string): string {
  return `\u2068${name}\u2069`;
}

function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const at = n < 1024 ? 0 : Math.min(Math.floor(Math.log2(n) / 10), units.length - 1);
  const value = n / 1024 ** at;
  return `${value.toLocaleString("en", { maximumSignificantDigits: 3 })} ${units[at]}`;
}

function number(n: number): string {
  return n.toLocaleString("en");
}
