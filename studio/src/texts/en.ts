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
    importFile: "Import a file",
    importTitle: "Import a classifier",
    importing: "The file is being taken in …",
    importSubmit: "Import",
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
      halted: "The service cannot be reached. Nothing is lost: this goes on once it can.",
      unreadable: "cannot be read any more: it was moved, deleted or changed",
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
    noLabel: "It shows none of the classes.",
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
    list: "Remembered pictures",
    picture: "Remembered picture",
    waiting: (n: number, more: boolean) =>
      more ? `${number(n)} are shown, and more wait` : `${number(n)} ${n === 1 ? "waits" : "wait"}`,
    selected: (n: number) => `${number(n)} selected`,
    progress: (done: number, of: number) => `${number(done)} of ${number(of)} done`,
    selectAll: "Select all",
    selectSeveral: "Select several",
    selectOne: "Select one at a time",
    answered: (label: string, probability: number) =>
      `${isolated(label)}, ${en.app.percent(probability)}`,
    answer: "The answer was",
    nearest: "nearest",
    noPicture: "no picture",
    noPictureKept: "The picture was not kept: this service stores no pictures.",
    why: {
      unknown: "Remembered because it looked like no class.",
      uncertain: "Remembered because the answer was unsure.",
      all: "Remembered as all are.",
    },
    askedAt: (at: Date) =>
      `Asked on ${at.toLocaleString("en", { dateStyle: "medium", timeStyle: "short" })}.`,
    sayOf: (n: number) => (n > 1 ? `What are these ${number(n)}?` : "What is it?"),
    confirm: "The answer is right",
    reject: "None of these",
    forget: "Forget",
    forgetMany: (n: number) => `Forget ${en.app.pictures(n)}`,
    forgetQuestion: "They are deleted and count nowhere. This cannot be undone.",
    moreClasses: (n: number) => `${number(n)} more …`,
    classes: "Classes",
    search: "Find the class",
    noneFound: "No class has that in its name.",
    keys: "Keys",
    keyList: [
      ["Arrows", "Go to another picture"],
      ["1 to 9", "It is of that class: it is added to it"],
      ["/", "It is of another class: find it by its name"],
      ["Enter", "The answer is right: nothing is added"],
      ["0 or N", "None of these: pictures like it will be unknown"],
      ["Delete", "Forget it"],
      ["Space", "Select it, or no longer"],
      ["Shift + arrows", "Select all on the way"],
      ["Ctrl + A", "Select all that are shown"],
      ["Escape", "Select none"],
      ["?", "These keys"],
    ] as [string, string][],
    answeredAs: "Answered as",
    anyClass: "any class",
    knownOrNot: "Known or not",
    either: "either",
    known: "known",
    noneLikeThis: "None of those that wait is like this.",
    nothing: "Nothing waits for you",
    nothingHow:
      "As pictures are asked about, those to be remembered come here. This page looks again by itself.",
    remembersNothing: "This classifier remembers no pictures",
    remembersNothingHow:
      "A classifier gets better where it is wrong or unsure, and only people know where that is. It can keep such pictures for you: name them here, and it learns from them.",
    remember: "Which pictures are remembered",
    rememberThese: "Save",
    choice: {
      uncertain: {
        name: "Unknown and unsure ones",
        what: "Those that look like no class, and those that two classes are close for. They teach most.",
      },
      unknown: { name: "Unknown ones", what: "Those that look like no class." },
      all: {
        name: "All",
        what: "Judged as they come, they tell how often the answers are right.",
      },
      none: { name: "None", what: "Nothing is kept of what is asked." },
    },
    accuracy: "Accuracy over time",
    nothingJudged: "Nothing was judged yet in the last weeks.",
    together: (right: number, judged: number) =>
      `${number(right)} of ${number(judged)} answers were right:`,
    interval: (value: number, low: number, high: number) =>
      `${en.app.percent(value)} (${Math.round(100 * low)} to ${en.app.percent(high)})`,
    week: (begin: Date) => begin.toLocaleDateString("en", { month: "short", day: "numeric" }),
    accuracyHow:
      "By the week that the pictures were asked in; the lines are 95 % intervals. It is the accuracy of what was remembered and judged: where only unsure ones are remembered, that is lower than the accuracy in use.",
  },
  understand: {
    title: "Understand",
    making: "The report is being made …",
    makingAnew: "Something has changed: the report is being made anew …",
    nothing: "There is nothing to report on yet",
    nothingHow:
      "The report is made from the classifier's own pictures: each is hidden in turn and named by the others. That takes at least two pictures a class.",
    toTeach: "Teach",
    wholeReport: "The whole report, to print or to pass on:",
    page: "page",
    picture: "picture",
    shift: "Recent queries are unlike the pictures here",
    accuracyFigure: "accuracy, each picture named by the others",
    imagesFigure: (n: number, classes: number, negatives: number) =>
      `${n === 1 ? "picture" : "pictures"} in ${en.app.classes(classes)}${
        negatives === 0 ? "" : `, and ${en.app.pictures(negatives)} of what is to be unknown`
      }`,
    suspectsFigure: (n: number) => `${n === 1 ? "looks" : "look"} mislabelled`,
    copiesFigure: (n: number) => `near ${n === 1 ? "copy" : "copies"}`,
    accuracy: "Accuracy",
    accuracyHow:
      "Each picture was hidden in turn and named by the others. Expect about as much of new pictures like these. A full bar: all pictures of the class were named rightly. The weakest classes come first; the figure at the top is the mean over the classes.",
    accuracyUnknown:
      "Accuracy cannot be told yet: a picture is judged by the others of its class, and no class has two pictures that differ. Add at least one more picture a class.",
    ofVotes: (n: number, all: number) => `${number(n)} of ${number(all)}`,
    takenFor: "taken for",
    singles: "Not judged, because they have a single picture:",
    byName: "Known by name alone, without pictures:",
    andMore: (n: number) => `and ${number(n)} more`,
    showMore: (n: number) => `Show more (${number(n)})`,
    confusion: "What is taken for what",
    matrix: "Confusion matrix",
    matrixHow:
      "A row holds the pictures of a class; a column says as what they were named. Blue, on the diagonal, is right; every orange cell is a confusion, the darker the larger its share of the row. Choose a cell to see its pictures.",
    confusionsHow:
      "The most frequent confusions. The bar is the share of the class's pictures that were taken for the other. Choose one to see its pictures.",
    noConfusion: "No picture was taken for one of another class.",
    cell: (n: number, label: string, named: string) =>
      `${en.app.pictures(n)} of ${isolated(label)} named ${isolated(named)}`,
    rightCell: "These were named rightly.",
    moveShown: (n: number) => `Move these ${number(n)} to`,
    registeredAs: "is in",
    looksLike: "looks like",
    knownByName: "known by name alone",
    cannotShow: "cannot be shown",
    openPicture: (file: string, label: string) =>
      `${isolated(file)}, ${isolated(label)}: show large`,
    moveToClass: "Move to",
    moveTo: "Move to …",
    keep: "It is right",
    remove: "Delete",
    isIn: "In the class",
    moved: (n: number, to: string) => `${en.app.pictures(n)} moved to ${isolated(to)}.`,
    removed: (n: number) => `${en.app.pictures(n)} deleted.`,
    enough: "Have you done enough?",
    needs: "Which class needs pictures most",
    curveLabel: "Accuracy against pictures a class",
    curveHow:
      "Orange: parts of the pictures name the ones that they leave out. Blue: what to expect of new pictures like these, dashed with more pictures than there are. The light area is meant to hold the truth in 9 of 10 cases; on pictures unlike those that it was made by it held the gain in 3 of 4.",
    morePictures: "More pictures a class",
    withMore: (n: number, of: { value: number; low: number; high: number }) =>
      `${n === 0 ? "As it is" : `With ${number(n)} more pictures a class`}: about ${en.app.percent(of.value)} right (${Math.round(100 * of.low)} to ${en.app.percent(of.high)}).`,
    measured: (shots: number, accuracy: number) =>
      `${number(Math.round(10 * shots) / 10)} pictures a class: ${en.app.percent(accuracy)} named rightly`,
    now: "now",
    picturesAClass: "pictures a class",
    suspects: "Which pictures look mislabelled",
    suspectsHow:
      "Left: a picture, with the class that it is in. Right: the class that all other pictures would put it into, and the picture there that it resembles most. If the left one belongs to the class on the right, move it.",
    suspectsMany:
      "So many tell of classes that are hard to tell apart, or of too few pictures, rather than of wrong labels. The first ones still deserve a look.",
    suspectsFew: "The clearest cases come first; further down, more of them are only unusual.",
    noSuspects: "None: no picture is named as another class with any certainty.",
    suspectsUnknown: "This cannot be told before a class has two pictures that differ.",
    copies: "Which pictures are near copies",
    copiesHow:
      "Pairs of one class that are much closer than pictures of that class usually are, the closest first; the last ones may be merely alike. A copy adds little; another photo would add more.",
    copiesLeftOut:
      "There are so many pictures as close as that that one of each burst takes part in this report and in the tuning: they would name each other, and accuracy would look better than it is.",
    lessClear: (n: number) =>
      `And ${number(n)} that ${n === 1 ? "is" : "are"} less clear: as these are dealt with, they come up.`,
    covered: "Which pictures can go",
    coveredHow:
      "Beside near copies. Left: a picture that is named rightly without itself; right: the one of its class that covers it. Without these a classifier loses less than without as many of any.",
    isCovered: "which covers it",
    noCopies: "None. (Classes with fewer than three pictures are not looked at.)",
    and: "and",
    similarity: (value: number) => `similarity ${value.toFixed(2)}`,
    removeLeft: "Delete the left one",
    removeShown: (n: number) => `Delete the left ones of these ${number(n)} pairs`,
    keepBoth: "Keep both",
    map: "Map of the pictures",
    mapHow:
      "Each mark is a picture; pictures that the classifier sees as alike lie near each other. Marks of one colour and shape are a class, and should be together. The correction is meant to pull them together.",
    mapLabel:
      "Map of the pictures. Arrow keys go from picture to picture, Enter shows one large, plus and minus zoom, 0 shows all.",
    mapPoint: (label: string) => `A picture of ${isolated(label)}`,
    before: "Before the correction",
    after: "After the correction",
    zoomIn: "Nearer",
    zoomOut: "Further",
    zoomReset: "Show all",
    legend: "Classes: point at one to see where it lies",
    explained: (share: number) =>
      `A map is flat, and pictures differ in more ways: it shows ${en.app.percent(share)} of the differences.`,
    sampled: (n: number, all: number) => `${number(n)} of ${number(all)} pictures are drawn.`,
    neighbours: (before: number, after: number) =>
      `Before the correction the most similar other picture is of the same class for ${en.app.percent(before)} of the pictures; after it, for ${en.app.percent(after)}.`,
    neighboursOnce: (share: number) =>
      `The most similar other picture is of the same class for ${en.app.percent(share)} of the pictures.`,
    inNumbers: "The map in numbers",
    spreadHow:
      "Mean distance of the pictures of a class from their middle on the map, whose half is 1: the lower, the closer together.",
    className: "Class",
    picturesColumn: "Pictures",
    spread: "Spread",
    overlap: "How far looks tell the class",
    overlapHow:
      "Similarity of two pictures, for all pairs: blue, of the same class; orange, of different classes. The further blue lies to the right of orange, the better pictures can be told apart by looks; the grey area under both is the overlap.",
    overlapUnknown: "This takes two pictures of one class and one of another.",
    overlapBefore: "Before the correction, as compared with class names",
    overlapAfter: "After the correction, as pictures are compared with each other",
    overlapSame: "The correction makes next to no difference on these pictures.",
    overlapLower: "The correction lowers the overlap on these pictures, as it should.",
    overlapHigher:
      "The correction raises the overlap on these pictures; a method without ++ may answer better.",
    shared: (area: number, at: number) => {
      const verdicts = [
        "good. Pictures of a class look alike, and unlike those of other classes.",
        "fair. Likeness tells the class in most cases.",
        "much. Many pictures look as much like other classes as like their own.",
        "nearly all. By their looks, this encoder can hardly tell the classes.",
      ];
      return `They share ${en.app.percent(area)} of their area: ${verdicts[at] ?? ""}`;
    },
    sharedFew: (area: number, pairs: number) =>
      `They share ${en.app.percent(area)} of their area, but ${number(pairs)} pairs are too few to judge by.`,
    calibration: "Whether probabilities mean what they say",
    calibrationHow:
      "Each dot gathers pictures that were named with about the same probability; a larger dot, more pictures. On the line, as many of them are right as the probability says; below it, the classifier is too sure; above it, too modest.",
    calibrationLabel: "Share of right answers against probability",
    calibrationDot: (n: number, confidence: number, accuracy: number) =>
      `${en.app.pictures(n)}, ${en.app.percent(confidence)} sure: ${en.app.percent(accuracy)} right`,
    probability: "probability",
    shareRight: "share that is right",
    apart: (error: number, how: "good" | "fair" | "rough") =>
      `On average they are ${en.app.percent(error)} apart: ${
        {
          good: "good. A probability of 90 % means 9 of 10 right.",
          fair: "fair.",
          rough: "the probabilities are rough here.",
        }[how]
      }`,
    apartFew: (error: number, votes: number) =>
      `On average they are ${en.app.percent(error)} apart, but ${en.app.pictures(votes)} are too few to judge by.`,
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

function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const at = n < 1024 ? 0 : Math.min(Math.floor(Math.log2(n) / 10), units.length - 1);
  const value = n / 1024 ** at;
  return `${value.toLocaleString("en", { maximumSignificantDigits: 3 })} ${units[at]}`;
}

function number(n: number): string {
  return n.toLocaleString("en");
}

/** A name in its own direction of writing, whatever that of the text around it is. */
function isolated(name: string): string {
  return `\u2068${name}\u2069`;
}
