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
    ready: "Ready",
    adjusting: "Adjusting to the last changes …",
    adjustingLater: "Answers already; it adjusts to the last changes soon.",
    tooFew: "Two classes with a few pictures each are enough to begin.",
    empty: "Show it what is what",
    emptyHow:
      "Drop folders here, one for each class, or a zip of them. Or name a class and add pictures to it.",
    emptyNames: "Names alone are a start: a class without pictures is recognised by its name.",
    dropOn: (label: string) => `Drop to add to ${label}`,
    dropOutside: "Drop: folders become classes",
    newClass: "New class",
    newClassName: "Name of the class",
    newClassSubmit: "Add class",
    addFolders: "Add folders",
    addZip: "Add a zip",
    addPictures: "Add pictures",
    addTo: (label: string) => `Add pictures to ${label}`,
    negativesWhat:
      "Pictures of what is to be answered with “unknown”. What looks like them belongs to no class.",
    noPictures: "No pictures yet. It is recognised by its name until there are some.",
    noNegatives: "None yet, and none needed to begin.",
    picturesOf: (label: string) => `Pictures of ${label}`,
    more: (label: string) => `More to do with ${label}`,
    larger: "Show larger",
    smaller: "Show smaller",
    rename: "Rename",
    renameTo: "New name",
    merge: "Merge into …",
    mergeTitle: (label: string) => `Merge ${label} into which class?`,
    deleteClass: "Delete class",
    save: "Save",
    selectAll: "Select all",
    open: (name: string) => `Open ${name}`,
    dismiss: (name: string) => `Dismiss ${name}`,
    refused: (name: string, reason: string) => `${name} ${reason}`,
    waiting: "waiting",
    sending: "being added",
    where: (n: number) =>
      n === 1
        ? "Which class is this picture of?"
        : `Which class are these ${number(n)} pictures of?`,
    otherClass: "Another class",
    choose: "Choose",
    selection: {
      count: (n: number) => `${number(n)} selected`,
      move: "Move to …",
      moveTitle: (n: number) =>
        n === 1 ? "Move the picture to which class?" : `Move ${number(n)} pictures to which class?`,
      remove: "Delete",
      open: "Open",
      clear: "Clear",
    },
    uploads: {
      label: "Pictures on their way",
      progress: (n: number, of: number) => `${number(n)} of ${number(of)} pictures added`,
      waiting: "The service is busy. This goes on by itself.",
      notZip: (name: string) => `${name} cannot be opened here. Unpack it, and drop the pictures.`,
      emptyZip: (name: string) => `There are no pictures in ${name}.`,
      halted: "The service cannot be reached. Nothing is lost.",
      again: "Try again",
      cancel: "Cancel",
      archive: (name: string) => `Sending ${name}`,
      archiveWorks: (name: string) => `Adding the pictures of ${name}`,
      skipped: (n: number) =>
        n === 1
          ? "1 file was no picture and was left out"
          : `${number(n)} files were no pictures and were left out`,
      noPicture: "is no picture by its name",
      refused: (n: number) =>
        n === 1 ? "1 picture could not be added" : `${number(n)} pictures could not be added`,
      dismissAll: "Dismiss all",
      hide: "Hide",
    },
    changes: {
      classMade: (label: string) => `${label} added.`,
      renamed: (from: string, to: string) => `${from} is ${to} now.`,
      classDeleted: (label: string) => `${label} deleted.`,
      merged: (from: string, into: string) => `${from} merged into ${into}.`,
      moved: (n: number, to: string) =>
        `${n === 1 ? "1 picture" : `${number(n)} pictures`} moved to ${to}.`,
      deleted: (n: number) => `${n === 1 ? "1 picture" : `${number(n)} pictures`} deleted.`,
      added: (n: number) => `${n === 1 ? "1 picture" : `${number(n)} pictures`} added.`,
      there: (n: number) => (n === 1 ? "1 was there already." : `${number(n)} were there already.`),
      refused: (n: number) => `${number(n)} could not be added.`,
      archive: (name: string) => `Pictures of ${name} added.`,
    },
    undo: {
      redo: "Redo",
      undone: (text: string) => `Undone: ${text}`,
      nothing: "There is nothing to undo.",
      nothingToRedo: "There is nothing to do again.",
      busy: "Something is being changed. Undo it when that is done.",
      notLast: "Something else was changed since. Undo that first.",
      others: "Somebody else has changed this classifier since, so nothing was undone.",
    },
    viewer: {
      previous: "Previous",
      next: "Next",
      size: (width: number, height: number) => `${number(width)} × ${number(height)} pixels`,
      similar: "Similar pictures",
      gone: "The service does not keep this picture's file.",
    },
    camera: {
      open: "Webcam",
      openFor: (label: string) => `Take pictures of ${label} with the webcam`,
      hold: "Hold to record",
      recording: "Recording …",
      one: "A short press takes one picture.",
      taken: (n: number) => (n === 1 ? "1 picture taken" : `${number(n)} pictures taken`),
      close: "Close the webcam",
      none: "There is no camera here, or the browser does not allow it.",
      unsafe: "Browsers give cameras only to pages of https or of this machine.",
      picture: (label: string) => `What the webcam shows, for ${label}`,
    },
    advice: {
      needs: "A few more pictures would help most here.",
      needsSome: (n: number, right: number) =>
        `${number(n)} more pictures would help most here: about ${Math.round(100 * right)} % are recognised now.`,
      suspects: (n: number) =>
        n === 1
          ? "1 picture looks as if it belongs elsewhere."
          : `${number(n)} pictures look as if they belong elsewhere.`,
      look: "Look",
      copies: (n: number) => (n === 1 ? "1 near copy" : `${number(n)} near copies`),
      suspectTitle: "Is it in the right class?",
      suspect: (label: string, named: string) => `It is in ${label}, and looks like ${named}.`,
      nearest: (label: string) => `Most like it, in ${label}`,
      keep: (label: string) => `Keep in ${label}`,
      moveTo: (label: string) => `Move to ${label}`,
      copiesTitle: (label: string) => `Pictures of ${label} that add little`,
      copiesWhat:
        "Each is nearly the same as another one that stays. Deleting them changes little; so does keeping them.",
      copyOf: "like",
      removeCopies: (n: number) => (n === 1 ? "Delete it" : `Delete these ${number(n)}`),
      keepAll: "Keep all",
      progress: (n: number, of: number) => `${number(n)} of ${number(of)}`,
    },
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
