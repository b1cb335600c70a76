"""Models of the API, made of its OpenAPI document by `make client`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field, RootModel

from handful_client.model import Model


class AccuracyOut(Model):
    """
    What verdicts say of the queries of a time.
    """

    begin: AwareDatetime
    end: AwareDatetime
    judged: int
    right: int
    accuracy: float | None
    """
    null where nothing was judged.
    """
    low: float | None
    """
    Lower end of its 95 % interval (Wilson, 1927).
    """
    high: float | None
    """
    Upper end.
    """


class AgainstTextsOut(Model):
    """
    Images against the names of their classes; distances are those of unit vectors.
    """

    alignment: float | None
    """
    Mean squared distance of an image to the name of its class, 0 to 4. Lower is better.
    """
    relative_alignment: float | None
    """
    The same, less the squared distance to the nearest other name. Below 0: the own name is nearer; lower is better. null: there is one name only.
    """
    modality_gap: float | None
    """
    Distance of the mean image to the mean name, 0 to 2; each name counts once for each of its images.
    """
    uniformity: float | None
    """
    Of images and names together. Lower is more evenly spread.
    """


class Annotations(Model):
    """
    Notes and metadata of a classifier, a class or an image; nothing is made of them.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    notes: str | None = None
    """
    For people.
    """
    metadata: dict[str, str] | None = None
    """
    Strings by keys of 64 characters at most. Lists can ask for keys of letters, digits, `.`, `_` and `-`.
    """


class AuditEntry(Model):
    """
    Something that was done, or was refused.
    """

    id: str
    at: AwareDatetime
    action: str
    """
    `classifier.created`, `.changed`, `.renamed` (an entry for either name), `.deleted`, `.exported`; `key.created`, `.rotated`, `.revoked`; `session.created`, `.ended`; `job.begun`; `re-embedding`; `refused`, with how many `times` within seconds.
    """
    classifier: str | None
    key_id: str | None
    """
    Of the key that it was done with.
    """
    user: str | None
    """
    Who did it, where a proxy says; `(command)`: whoever is at the machine.
    """
    details: dict[str, Any]
    """
    What was asked for, and what came of it: counts, revisions, labels, names that were given up or taken, classifiers whose images were taken.
    """


class AuditPage(Model):
    """
    Entries, the newest first.
    """

    entries: list[AuditEntry]
    next_cursor: str | None
    """
    `cursor` of the next page; null on the last.
    """


class CalibrationBin(Model):
    """
    Votes with about the same confidence.
    """

    low: float
    high: float
    count: int
    confidence: float
    """
    Their mean confidence.
    """
    accuracy: float
    """
    Share of them that is right.
    """


class CalibrationOut(Model):
    """
    Whether probabilities mean what they say, by the votes.
    """

    error: float | None
    """
    Expected calibration error: mean distance of confidence and accuracy.
    """
    bins: list[CalibrationBin]
    """
    Intervals without votes are left out.
    """


class CandidateOut(Model):
    """
    A class that the query may have been of.
    """

    label: str
    probability: float


class ClassReport(Model):
    """
    How well a class's own images are told from those of the other classes.
    """

    label: str
    n_images: int
    n_votes: int
    """
    Images of the class that leave-one-out could judge.
    """
    accuracy: float | None
    """
    Share of these that the other images name rightly; null: no votes.
    """
    confused_with: str | None
    """
    The class that its images are most often taken for; null: none was.
    """


class ClassSummary(Model):
    """
    A class and how many support images it has.
    """

    label: str
    n_images: int


class ClassifierSettingsIn(Model):
    """
    Settings of a classifier; those left out take their default.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    method: (
        Literal[
            "auto",
            "zero-shot",
            "tip-adapter",
            "tip-adapter++",
            "tip-x",
            "tip-x++",
            "ape",
            "ape++",
            "gda",
            "gda++",
            "krr",
            "krr++",
        ]
        | None
    ) = None
    """
    The head that answers. `auto` pools two of them and lets the support images say what they count against the names. `zero-shot` looks at class names only, the others at the support images too; those with ++ compare images by the corrected embedding.
    """
    templates: list[str] | None = None
    """
    Sentences around a class name, whose place is {}. Empty: the backbone's own. Prompts that a service was started with (`--prompts`) stand in a sentence of their own, and then these are not used.
    """
    names_carry_meaning: bool | None = None
    """
    Whether class names say what is in the images. false leaves out the zero-shot term: right for labels like `type-7`.
    """
    false_rejection_rate: float | None = None
    """
    Share of images of the classes that may be called unknown (`known: false`); 0: nothing is.
    """
    support_views: int | None = None
    """
    Views of each support image that are embedded and averaged: the image, and random crops of it, some mirrored. 1: the image alone. Each costs a pass of the encoder when an image is registered, and nothing when a query is answered. Another number for a classifier with images embeds all of them again, which takes that they were kept. With more than one, far more images are called unknown than `false_rejection_rate` says.
    """
    multi_label: bool | None = None
    """
    Whether an image may have several labels, or none: each class has a probability and a threshold of its own, and an answer has the `labels` at or above theirs. An image that is registered in another class gains that label. Takes the method `auto` and no coverage. With true for false, images that several classes have become one each; the other way takes that none is in two classes.
    """
    prompts: str | None = None
    """
    Trained prompts that this classifier's images and class names are embedded with, by the name that they were uploaded under (`PUT /v1/prompts/{name}`); null: as the service was started. Class names are written with the template of the prompts then, whatever `templates` says. Others for a classifier with images embed all of them again, which takes that they were kept.
    """
    remember: Literal["none", "unknown", "uncertain", "all"] | None = None
    """
    Which queries are remembered with their answers, to be judged by people: `unknown` ones; `uncertain` ones too, whose prediction set has not one label, or, without a coverage, whose best class leads the next by less than 0.3; or `all`.
    """
    remember_most: int | None = None
    """
    Most queries that are remembered; beyond them the oldest are forgotten.
    """
    remember_days: float | None = None
    """
    Days after which a remembered query is forgotten.
    """
    coverage: float | None = None
    """
    How often the prediction set of an image should hold its class; null: no prediction sets.
    """
    classes: list[str] | None = None
    """
    Classes to declare by name. Classes that exist already stay as they are.
    """


class ConfirmIn(Model):
    """
    The answer was right. It counts in the accuracy; nothing is registered.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    action: Literal["confirm"]


class Confusion(Model):
    """
    Images of one class that were taken for another.
    """

    label: str
    named: str
    count: int


class ConfusionMatrix(Model):
    """
    How many images of each class (row) were named as each class (column).
    """

    labels: list[str]
    """
    Of the rows and of the columns.
    """
    rows: list[list[int]]


class CorrectIn(Model):
    """
    The picture is of that class, whatever the answer was: it is registered there.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    action: Literal["correct"]
    label: str
    also: list[str] | None = None
    """
    Its other labels, of a classifier with `multi_label`: all that it shows.
    """


class DeleteIn(Model):
    """
    It is forgotten, and counts nowhere.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    action: Literal["delete"]


class DeletedOut(Model):
    """
    How many images were deleted.
    """

    deleted: int


class DoneOf(Model):
    """
    How many of all are in the recipe already.
    """

    done: int
    all: int


class DuplicateOut(Model):
    """
    An image of the pool that is registered, or a copy of an image that is.
    """

    image_id: str
    label: str
    similarity: float
    """
    Cosine similarity, at most 1.
    """
    filename: str
    position: int
    """
    Of the image in the upload, from 0; files that are skipped do not count.
    """


class EmbeddedOut(Model):
    """
    The embeddings of an image or a text, unit vectors.
    """

    frozen: list[float] | str
    """
    As the encoder was trained: comparable with texts. Numbers, or base64 of float32 (little-endian).
    """
    corrected: list[float] | str | None
    """
    With less intra-modal overlap, for comparing images with images; null for texts.
    """


class EmbeddingOut(Model):
    """
    What one embedding of the images is like; null for what takes more images than there are.
    """

    neighbour_accuracy: float | None
    """
    Share of the images whose most similar other image has their class. Higher is better.
    """
    paired_similarity: float | None
    """
    Mean cosine similarity of two images of one class.
    """
    unpaired_similarity: float | None
    """
    Mean cosine similarity of two images of different classes.
    """
    uniformity: float | None
    """
    Logarithm of the mean of exp(-2 · squared distance) over all pairs of images, -8 to 0. Lower is more evenly spread.
    """
    variance: float | None
    """
    Total feature variance: mean squared distance to the mean image, 0 to 1. Higher tells images further apart.
    """
    texts: AgainstTextsOut | None
    """
    null: names carry no meaning, or the corrected embedding does not live in the space of the texts.
    """


class EmbeddingsOut(Model):
    """
    Embeddings, in the order of what was sent.
    """

    model: str
    """
    The name of the backbone.
    """
    fingerprint: str
    """
    Of what has embedded images; those of two fingerprints are not comparable.
    """
    width: int
    """
    Of frozen embeddings, and of texts.
    """
    corrected_width: int
    """
    Of corrected ones.
    """
    embeddings: list[EmbeddedOut]


class EstimateOut(Model):
    """
    An expected value, and the interval that is meant to hold the true one in 9 of 10 cases.

    It did for gains on images like those that it was made by, and in 3 of 4 cases on other sets.
    """

    value: float
    low: float
    high: float


class EvidenceOut(Model):
    """
    A support image, or an explicit negative (`not-these`), that resembles the query.
    """

    image_id: str
    label: str
    similarity: float
    """
    Cosine similarity, at most 1.
    """


class ExaminedOut(Model):
    """
    What the report is made from.
    """

    images: int
    """
    Images that were looked at: all of them up to 4096, beyond that equally many of each class that has so many, spread evenly.
    """
    complete: bool
    """
    Whether all images were looked at.
    """
    near_copies_left_out: int
    """
    Images of bursts that take no part but in `redundant`, because they would name each other: all but the first of each; 0 where less than a fifth of the images is that close to another.
    """
    votes: int
    """
    Images that leave-one-out can judge. One that is the only one of its class cannot be: without it the class has no image.
    """


class ExpectedPoint(Model):
    """
    Accuracy to expect of new images.
    """

    value: float
    low: float
    high: float
    shots: float
    """
    Images a class.
    """


class Explained(Model):
    """
    Share of the variance that each axis shows; 0 where all images are the same.
    """

    frozen: list[Any]
    corrected: list[Any]


class FaultOut(Model):
    """
    The members of a problem document (RFC 9457).
    """

    type: str
    """
    Names the kind.
    """
    title: str
    """
    The kind, for people.
    """
    status: int
    """
    The status that a request would be answered with.
    """
    detail: str
    """
    What is wrong, and how to mend it.
    """


class FileErrorOut(Model):
    """
    A file of a job that cannot be used; the others are not concerned.
    """

    file: str
    """
    Its name in the zip, or below the folder.
    """
    problem: FaultOut


class FromClassifier(Model):
    """
    The classifier that classes and images are taken over of.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    from_: str = Field(..., alias="from")


class FromLabels(Model):
    """
    The classes whose images are moved, and which are deleted.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    from_: list[str] = Field(..., alias="from")


class Health(Model):
    """
    State of the process.
    """

    status: Literal["ok"]


class ImageOut(Model):
    """
    A support image.
    """

    id: str
    label: str
    filename: str
    sha256: str
    media_type: str
    width: int
    height: int
    created_at: AwareDatetime


class ImagesToDelete(Model):
    """
    Support images of any classes, by their ids.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    images: list[str]


class ImagesToMove(Model):
    """
    Support images, and the class that they are to be of.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    images: list[str]
    to: str


class InboxImage(Model):
    """
    The support image that an action has made, or found.
    """

    id: str
    label: str
    status: Literal["created", "duplicate"] | str


class LabelReport(Model):
    """
    How well a label is found in images that have it, and in no others.
    """

    label: str
    n_images: int
    """
    Images that have it.
    """
    threshold: float
    """
    The probability from which on it is given.
    """
    precision: float | None
    """
    Share of the images it is given to that have it, each judged by the others; null: it is given to none, or fewer than two have it.
    """
    recall: float | None
    """
    Share of the images that have it that it is given to; null: fewer than two.
    """
    f1: float | None
    """
    Harmonic mean of both; null: fewer than two have it.
    """
    average_precision: float | None
    """
    Mean precision over thresholds: how high images that have it are ranked above those that do not; null: fewer than two have it.
    """


class LabelsReportOut(Model):
    """
    What a classifier's own images say of its labels, each left out with all its labels.
    """

    classifier: str
    n_classes: int
    n_images: int
    """
    Images, each once, however many labels it has.
    """
    n_negatives: int
    """
    Explicit negatives (`not-these`): images of no label.
    """
    labels_an_image: float | None
    """
    Mean number of labels of an image; null: there are none.
    """
    examined: int
    """
    Images that were left out: all, or of more than 2048 as many of each class as of another; negatives among them.
    """
    mean_average_precision: float | None
    """
    Mean of the classes' average precisions; null: no class has two images.
    """
    f1: float | None
    """
    F1 over all classes and images together; null: no class has two images.
    """
    classes: list[LabelReport]
    """
    In the order of their registration.
    """


class LogIn(Model):
    """
    A key to log in with.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    key: str
    """
    As it was told when it was made.
    """


class MapPoint(Model):
    """
    A support image, or an explicit negative (`not-these`), as a point.
    """

    image_id: str
    label: str
    frozen: list[Any]
    """
    Where it is by the frozen embedding.
    """
    corrected: list[Any]
    """
    Where it is by the corrected embedding.
    """


class MeasuredPoint(Model):
    """
    What parts of the support set made of the images that they left out.
    """

    shots: float
    """
    Images a class, geometric mean of the classes.
    """
    accuracy: float
    """
    Mean of the classes.
    """


class MeasuresOut(Model):
    """
    Both embeddings of the images: before the correction, and after it.
    """

    is_corrected: bool
    """
    Whether there are two embeddings; a backbone without a correction has one.
    """
    same_space: bool
    """
    Whether both live in the space of the class names. If not, only overlap and `neighbour_accuracy` can be compared between them.
    """
    n_judged: int
    """
    Images that have another one of their class, so that the nearest can be right.
    """
    gained: int
    """
    Of these, how many have a nearest image of their class in `corrected` alone.
    """
    lost: int
    """
    And how many have one in `frozen` alone.
    """
    frozen: EmbeddingOut
    """
    Before: the embedding that is compared with texts.
    """
    corrected: EmbeddingOut
    """
    After: the embedding that images are compared by.
    """


class MovedOut(Model):
    """
    What became of images that were moved or taken over.
    """

    added: int
    """
    Images that their class has now and had not.
    """
    duplicates: int
    """
    Images that it had already, byte for byte.
    """


class NamedImage(Model):
    """
    A support image with the class that the others name.
    """

    image_id: str
    label: str
    """
    The class that it is registered in.
    """
    filename: str
    media_type: str
    url: str
    """
    Path of the image; `image-not-stored` where images are not kept.
    """
    named: str
    """
    The class that the other images name.
    """
    probability: float
    """
    Probability of that class.
    """
    own_probability: float
    """
    Probability of the class that it is in.
    """


class OpenAIEmbedding(Model):
    """
    The embedding of one input.
    """

    object: Literal["embedding"] | None = None
    index: int
    embedding: list[float] | str
    """
    Numbers, or base64 of float32 (little-endian).
    """


class OpenAIUsage(Model):
    """
    What was read.
    """

    prompt_tokens: int
    """
    Tokens of texts, about; 0 of images.
    """
    total_tokens: int


class PastChangeOut(Model):
    """
    A change of settings, classes or images, in short.
    """

    revision: int
    """
    Content revision after it; `to` of a revert to it.
    """
    at: AwareDatetime
    key_id: str | None
    """
    The key that it was made with; null: without one.
    """
    what: str
    """
    `changed`, `renamed` (the classifier) or `annotated`.
    """
    reverted_to: int | None
    """
    The revision that it brought back, if it did.
    """
    classes_added: list[str]
    """
    The first 20 labels.
    """
    n_classes_added: int
    classes_removed: list[str]
    """
    The first 20 labels.
    """
    n_classes_removed: int
    classes_renamed: dict[str, str]
    """
    New labels by old ones.
    """
    images_added: int
    """
    Images that were moved count as added and removed.
    """
    images_removed: int
    settings: bool
    """
    Whether settings were changed.
    """


class PredictedLabelOut(Model):
    """
    What an image is taken for now.
    """

    label: str
    probability: float
    known: bool
    """
    Whether the image looks like any of the classes.
    """


class ProgressOut(Model):
    """
    How far a job is, in files.
    """

    total: int
    """
    Files that the job takes.
    """
    done: int
    """
    Those that have a line among the results.
    """
    failed: int
    """
    Those of them that could not be used.
    """
    skipped: int
    """
    Files that are none of the job's: by their names no images, but what systems and tools leave beside them.
    """


class PromptsOut(Model):
    """
    Trained prompts.
    """

    name: str
    template: str
    """
    What class names are written into; the prompts took the place of its first words.
    """
    depth: int
    """
    Layers of each tower that are prompted, from the first on.
    """
    length: int
    """
    Prompt tokens in each of them.
    """
    trained_with: str
    """
    The backbone that they were trained with.
    """
    sha256: str
    """
    Of their file.
    """
    size: int
    """
    Bytes of their file.
    """
    fingerprint: str
    """
    Of what is embedded with them.
    """
    usable: bool
    """
    Whether they were put for the backbone and the adapter that the service has now.
    """
    classifiers: list[str]
    """
    Classifiers that have chosen them, of those that the key is for.
    """
    created_at: AwareDatetime


class RankedLabelOut(Model):
    """
    A candidate answer and the two terms of its logit.
    """

    label: str
    probability: float
    zero_shot: float
    """
    What the class name contributed to the logit.
    """
    cache: float
    """
    What the support images contributed to the logit.
    """
    threshold: float | None = None
    """
    The probability from which on the label is given; only with `multi_label`.
    """


class ReEmbeddingIn(Model):
    """
    The recipe to move to.

    A precision alone brings the resizing that new databases of it have; a resizing alone leaves the
    precision.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    precision: Literal["float32", "bfloat16", "int8"] | None = None
    """
    Number format of the products in the image tower.
    """
    resizing: Literal["pillow", "antialias"] | None = None
    """
    What resizes pictures before it.
    """


class ReEmbeddingOut(Model):
    """
    Where the database is, and where it goes.
    """

    state: Literal["none", "embedding", "changing-over", "settling", "waiting", "failed"] | str
    """
    `none`: nothing is under way, and all is in the recipe that is named. `embedding`: images are embedded beside their old embeddings. `changing-over`: classifiers take up the new ones, one by one. `settling`: these take the place of the old ones. `waiting`: for what `error` says; it is tried again. `failed`: by `error`; POST tries again, DELETE goes back.
    """
    precision: Literal["float32", "bfloat16", "int8"] | str | None
    """
    Of the recipe that the database is of, or goes to.
    """
    resizing: Literal["pillow", "antialias"] | str | None
    """
    Of the same.
    """
    going_back: bool
    """
    Whether it goes back to the recipe before, as it was told to.
    """
    since: AwareDatetime | None
    """
    When it was asked for.
    """
    images: DoneOf
    classifiers: DoneOf
    error: str | None
    """
    What it waits for, or has failed with.
    """


class Readiness(Model):
    """
    What can be answered.
    """

    status: Literal["ready"]
    storage: Literal["sound", "damaged", "unchecked"] | str
    """
    What the last check of all that is stored has found. Where it is `damaged` classifiers that are not concerned are answered for as ever; the log says what is.
    """


class RegistrationLine(Model):
    """
    A line of the results of a registration: what became of a file.
    """

    file: str
    label: str
    id: str
    status: Literal["created", "duplicate"] | str


class RejectIn(Model):
    """
    The picture is of no class: it is registered as an explicit negative (`not-these`).
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    action: Literal["reject"]


class RememberedOut(Model):
    """
    A query with its answer.
    """

    id: str
    asked_at: AwareDatetime
    why: Literal["unknown", "uncertain", "all"] | str
    """
    Why it is remembered: `unknown`; `uncertain`, as its prediction set has not one label, or the best class leads the next by less than 0.3; `all`, as all are.
    """
    filename: str
    """
    As the client named it; may be empty.
    """
    media_type: str
    has_picture: bool
    """
    Whether the picture was kept, which is at `.../image` then.
    """
    revision: int
    """
    Of the classifier that answered.
    """
    label: str
    """
    What it was answered with.
    """
    probability: float
    known: bool
    p_value: float | None
    prediction_set: list[str] | None
    labels: list[str] | None = None
    """
    Those that it was given; only of a classifier with `multi_label`.
    """
    candidates: list[CandidateOut]
    """
    The most probable classes, five at most.
    """


class Scope(RootModel[Literal["read", "predict", "write", "admin"] | str]):
    root: Literal["read", "predict", "write", "admin"] | str
    """
    Scope of a key (RFC 6749, 3.3): what its holder may do.
    """


class SessionOut(Model):
    """
    Who a request is from, and what they may do.
    """

    authentication: Literal["none", "keys", "proxy"] | str
    """
    What lets requests in (`HANDFUL_AUTH`): nothing, keys, or a proxy that signs users in.
    """
    signed_in: bool
    """
    Whether requests like this one are let in.
    """
    tenant: str | None
    """
    Whose classifiers; null: the default tenant's.
    """
    key_id: str | None
    """
    Of the key, if it is one.
    """
    user: str | None
    """
    Who it is, where a proxy says.
    """
    scopes: list[Scope]
    """
    What they may do.
    """
    classifiers: list[str] | None
    """
    The only classifiers that they may use; all of the tenant if null.
    """
    operates: bool
    """
    Whether they are an operator.
    """
    csrf_token: str | None
    """
    What changes need as `X-CSRF-Token` beside the cookie; null: there is none.
    """
    expires_at: AwareDatetime | None
    """
    When the session ends, if its key has not before; null: there is none.
    """


class ShiftOut(Model):
    """
    Whether recent queries look less familiar than the support images do to each other.
    """

    queries: int
    """
    The most recent queries of this classifier that this process has answered since the classifier was loaded or tuned, at most 256, without those that were taken for a class without images.
    """
    mean_p_value: float
    """
    Mean of their `p_value`: about 0.5 where they are like the support images.
    """
    detected: bool
    """
    Whether that is lower than chance explains, at one false alarm in a hundred.
    """
    detail: str | None
    """
    What it means, in a sentence; null: no shift.
    """


class SimilarImage(Model):
    """
    Another support image that resembles it.
    """

    image_id: str
    label: str
    """
    The class that it is registered in.
    """
    filename: str
    media_type: str
    url: str
    """
    Path of the image; `image-not-stored` where images are not kept.
    """
    similarity: float
    """
    Cosine of the corrected embeddings, at most 1.
    """


class SimilarImageOut(Model):
    """
    A support image, or an explicit negative (`not-these`), that resembles the query.
    """

    image_id: str
    label: str
    filename: str
    similarity: float
    """
    Cosine similarity, rounded to a millionth.
    """


class SimilarOut(Model):
    """
    Support images, the most similar first; of equally similar ones by their ids.
    """

    classifier: str
    compared_by: Literal["corrected", "frozen"] | str
    """
    The embedding by which they are compared: `corrected` with an image, `frozen` with a text.
    """
    total: int
    """
    Support images in all.
    """
    next_cursor: str | None
    """
    `cursor` of the next page; null on the last.
    """
    images: list[SimilarImageOut]


class SimilarityBin(Model):
    """
    Pairs of images that are about as alike.
    """

    low: float
    """
    Cosine similarity where the interval begins.
    """
    high: float
    """
    And where it ends.
    """
    paired: float
    """
    Share of all same-class pairs.
    """
    unpaired: float
    """
    Share of all different-class pairs.
    """


class SkippedFile(Model):
    """
    A file of an upload that is no image of a class.
    """

    file: str
    """
    Its name, as it was sent.
    """
    reason: str
    """
    Why it was skipped.
    """


class SpareImage(Model):
    """
    An image that can go.
    """

    image_id: str
    label: str
    """
    The class that it is registered in.
    """
    filename: str
    media_type: str
    url: str
    """
    Path of the image; `image-not-stored` where images are not kept.
    """
    reason: Literal["near copy", "covered"] | str
    """
    `near copy`: of another image of its class. `covered`: alike to another image of its class, and named rightly without itself.
    """
    similar: SimilarImage
    """
    The image of its class that it copies, or that covers it: it stays.
    """


class SuggestionOut(Model):
    """
    An image that is worth a label, and why.
    """

    filename: str
    position: int
    """
    Of the image in the upload, from 0; files that are skipped do not count.
    """
    label: str | None
    """
    The class that its folder names; null where folders tell none.
    """
    gain: float
    """
    By how much the image raises coverage: of the pool, or of its class where `labelled`.
    """
    coverage: float
    """
    Coverage with it and those before it, between 0 and 1: how alike the images of the pool (of its class) are to the nearest one that is registered, on average.
    """
    predicted: PredictedLabelOut | None
    """
    The class it is most probably of; null where there are no classes to choose from.
    """
    nearest: EvidenceOut | None
    """
    The support image nearest to it, of any class; null where there are none.
    """


class SuggestionsOut(Model):
    """
    Which images of a pool to register next, best first.
    """

    classifier: str
    labelled: bool
    """
    Whether folders told the classes: then the images of each class are chosen for that class, `n` of each, the first of every class before the second of any.
    """
    n_images: int
    """
    How many images the pool has, without skipped files.
    """
    duplicates: list[DuplicateOut]
    """
    Images that are copies of support images, whatever their class: of the same bytes, size or not. They are not suggested.
    """
    skipped: list[SkippedFile]
    """
    Files that are no images by their names.
    """
    suggestions: list[SuggestionOut]
    """
    At most `n`, or `n` of each class; fewer where others are copies of these.
    """


class Suspect(Model):
    """
    An image that all others together would have put into another class.
    """

    image_id: str
    label: str
    """
    The class that it is registered in.
    """
    filename: str
    media_type: str
    url: str
    """
    Path of the image; `image-not-stored` where images are not kept.
    """
    named: str
    """
    The class that the other images name.
    """
    probability: float
    """
    Probability of that class.
    """
    own_probability: float
    """
    Probability of the class that it is in.
    """
    nearest: SimilarImage | None
    """
    The image of the named class that it resembles most; null: known by name.
    """


class TakenFor(Model):
    """
    What a registered image is taken for, as a query would be.
    """

    label: str
    probability: float
    labels: list[str] | None = None
    """
    As of a prediction, with `multi_label`.
    """
    known: bool
    """
    Whether the image looks like any of the classes.
    """
    p_value: float | None
    """
    How familiar it looks, as for a query.
    """
    top_k: list[RankedLabelOut]
    """
    The three most probable classes at most.
    """


class ToClassifier(Model):
    """
    The name that a classifier is to have.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    to: str


class ToLabel(Model):
    """
    The label that a class is to have.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    to: str


class Tuned(Model):
    """
    What leave-one-out over the support images has set.
    """

    head: str
    """
    The head in use: the method.
    """
    parameters: dict[str, float]
    """
    Hyperparameters of the head.
    """
    temperature: float
    """
    Divides the logits before the softmax.
    """
    votes: int
    """
    Support images that could be scored by leave-one-out; 0: defaults are used.
    """
    accuracy: float | None
    """
    Share of these that were named rightly, every class counting alike.
    """
    rejection_threshold: float | None
    """
    Images less familiar than this are unknown; null: too few votes to tell.
    """
    conformal_threshold: float | None
    """
    Classes at least this probable are in the prediction set; null: no coverage was asked for.
    """
    state: Literal["current", "running", "stale"] | str
    """
    Whether the support set is still the one that set this: `current`; or images or classes were changed since, and it is being set anew (`running`) or will be (`stale`). Answers use the images as they are now in any state.
    """
    since: AwareDatetime
    """
    Since when it is `current`; otherwise since when it is not.
    """
    images_behind: int
    """
    Images that were added or removed since it was `current`.
    """


class TuningOut(Model):
    """
    What the classifier answers with.
    """

    method: str
    """
    As in the classifier's settings.
    """
    head: str
    """
    The head in use: the one that `auto` chose, or the method.
    """
    temperature: float
    """
    Divides the logits before the softmax.
    """
    votes: int
    """
    Support images that tuned it, a burst of near copies counting as one.
    """
    accuracy: float | None
    """
    Share of these that were named rightly, every class counting alike.
    """


class UseOf(Model):
    """
    Something that a tenant owns, and how much of it it may own.
    """

    used: int
    limit: int | None
    """
    The most; null: there is no limit.
    """


class EmbeddedReference(Model):
    """
    A support image of a classifier.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    label: str | None = None
    """
    Of its class, for who has it: predictions do not look at it, and where a path names a class it is that one's.
    """
    image_id: str
    classifier: str


class EmbeddingIn(Model):
    """
    Both embeddings of an image, as `POST /v1/embeddings` answers them; unit vectors.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    frozen: list[float] | str
    """
    As the encoder was trained; comparable with texts.
    """
    corrected: list[float] | str
    """
    With less intra-modal overlap.
    """


class ImageData(Model):
    """
    An image by its bytes.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    label: str | None = None
    """
    Of its class, for who has it: predictions do not look at it, and where a path names a class it is that one's.
    """
    data: str
    """
    The bytes of the file in base64 (RFC 4648, either alphabet, no line breaks), or a data URI of it (`data:image/png;base64,...`).
    """
    filename: str | None = None
    """
    A name for it, for answers and messages; its folders mean nothing.
    """


class ImageEmbedding(Model):
    """
    An image by its embeddings alone; its bytes are not known.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    label: str | None = None
    """
    Of its class, for who has it: predictions do not look at it, and where a path names a class it is that one's.
    """
    embedding: EmbeddingIn
    fingerprint: str
    """
    Of what has embedded it; it must be that of the classifier.
    """
    filename: str | None = None
    """
    A name for it, for answers and messages; its folders mean nothing.
    """


class ImageReference(Model):
    """
    A support image of the classifier, or of another one.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    label: str | None = None
    """
    Of its class, for who has it: predictions do not look at it, and where a path names a class it is that one's.
    """
    image_id: str
    classifier: str | None = None
    """
    Whose image it is; the one that is asked by default.
    """


class ImageUrl(Model):
    """
    An image that the service fetches from a host of HANDFUL_FETCH_FROM.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    label: str | None = None
    """
    Of its class, for who has it: predictions do not look at it, and where a path names a class it is that one's.
    """
    url: str
    """
    https, or http where that is allowed.
    """
    filename: str | None = None
    """
    A name for it, for answers and messages; its folders mean nothing.
    """


class ImagesIn(Model):
    """
    Images, one or more.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    images: list[ImageData | ImageEmbedding | ImageReference | ImageUrl]


class ImagesToEmbed(Model):
    """
    Images to be embedded.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    images: list[ImageData | EmbeddedReference | ImageUrl]


class JobFolderIn(Model):
    """
    A folder of the machine that the service runs on.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    folder: str
    """
    Its absolute path, at or below a folder of `HANDFUL_JOB_FOLDERS`. All image files below it are taken, in the order of their names; links are not followed.
    """


class LabelledImageData(Model):
    """
    An image by its bytes, with the label of its class.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    label: str
    data: str
    """
    The bytes of the file in base64 (RFC 4648, either alphabet, no line breaks), or a data URI of it (`data:image/png;base64,...`).
    """
    filename: str | None = None
    """
    A name for it, for answers and messages; its folders mean nothing.
    """


class LabelledImageEmbedding(Model):
    """
    An image by its embeddings alone, with the label of its class.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    label: str
    embedding: EmbeddingIn
    fingerprint: str
    """
    Of what has embedded it; it must be that of the classifier.
    """
    filename: str | None = None
    """
    A name for it, for answers and messages; its folders mean nothing.
    """


class LabelledImageReference(Model):
    """
    A support image, with the label of the class that it joins.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    label: str
    image_id: str
    classifier: str | None = None
    """
    Whose image it is; the one that is asked by default.
    """


class LabelledImageUrl(Model):
    """
    An image that the service fetches, with the label of its class.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    label: str
    url: str
    """
    https, or http where that is allowed.
    """
    filename: str | None = None
    """
    A name for it, for answers and messages; its folders mean nothing.
    """


class LabelledImagesIn(Model):
    """
    Images, one or more, each with the label of its class.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    images: list[
        LabelledImageData | LabelledImageEmbedding | LabelledImageReference | LabelledImageUrl
    ]


class OpenAIImages(Model):
    """
    Images to be embedded, in OpenAI's shape as infinity has it.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    model: str | None = None
    """
    `handful`, or the name of the backbone that is served; others are not there.
    """
    encoding_format: Literal["float", "base64"] | str | None = None
    user: str | None = None
    """
    Not looked at.
    """
    input: list[str] | str
    """
    Data URIs or base64; URLs where the service fetches them.
    """
    modality: Literal["image"]


class OpenAITexts(Model):
    """
    Texts to be embedded, in OpenAI's shape.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    model: str | None = None
    """
    `handful`, or the name of the backbone that is served; others are not there.
    """
    encoding_format: Literal["float", "base64"] | str | None = None
    user: str | None = None
    """
    Not looked at.
    """
    input: list[str] | str
    modality: Literal["text"] | None = None


class SimilarToImage(Model):
    """
    The one image that support images are compared with.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    images: list[ImageData | ImageEmbedding | ImageReference | ImageUrl]


class SimilarToText(Model):
    """
    The text that support images are compared with.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    text: str
    templates: list[str] | None = None
    """
    Texts with `{}`, into each of which each text is written; their embeddings are averaged. Without any a text is embedded as it is.
    """


class TextsToEmbed(Model):
    """
    Texts to be embedded.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    texts: list[str]
    templates: list[str] | None = None
    """
    Texts with `{}`, into each of which each text is written; their embeddings are averaged. Without any a text is embedded as it is.
    """


class AccuracyOverTime(Model):
    """
    Accuracy over time, by the verdicts on remembered answers.
    """

    classifier: str
    remember: Literal["none", "unknown", "uncertain", "all"] | str
    """
    What is remembered now. The accuracy is that of what was remembered and judged: of all queries only where all are.
    """
    windows: list[AccuracyOut]
    """
    The oldest first; the last ends now.
    """
    together: AccuracyOut
    """
    All of them.
    """
    waiting: int
    """
    Queries in the inbox, which nobody has judged.
    """
    shift: ShiftOut | None
    """
    As in answers to queries.
    """


class ClassList(Model):
    """
    The classes of a classifier, in the order of their registration.
    """

    classifier: str
    next_cursor: str | None
    """
    `cursor` of the next page; null on the last.
    """
    classes: list[ClassSummary]


class ClassNeed(Model):
    """
    What more images of one class are worth.
    """

    label: str
    n_images: int
    n_votes: int
    """
    Images of the class that leave-one-out could judge.
    """
    recall: EstimateOut | None
    """
    Share of its images named rightly, pooled with the other classes': few votes say little. null: fewer than 3 votes, or no curve.
    """
    gain: EstimateOut | None
    """
    By how much `more` images of this class alone raise that; null as `recall`.
    """
    text: str
    """
    The same in a sentence.
    """


class ClassOut(Model):
    """
    A class with its support images: all, or a page of them; `n_images` counts all.
    """

    label: str
    n_images: int
    classifier: str
    next_cursor: str | None
    """
    `cursor` of the next page; null on the last.
    """
    images: list[ImageOut]


class ClassifierOut(Model):
    """
    A classifier.
    """

    name: str
    method: str
    templates: list[str]
    names_carry_meaning: bool
    false_rejection_rate: float
    support_views: int
    multi_label: bool
    prompts: str | None
    remember: Literal["none", "unknown", "uncertain", "all"] | str
    remember_most: int
    remember_days: float
    coverage: float | None
    backbone: str
    n_classes: int
    n_images: int
    tuning: Tuned
    created_at: AwareDatetime
    updated_at: AwareDatetime
    """
    When settings, classes or images were changed last; a tuning that came later is not counted.
    """
    notes: str
    """
    What people wrote of it.
    """
    metadata: dict[str, str]
    """
    What they wrote of it for programs.
    """
    problem: str | None
    """
    Why this classifier cannot answer, if it cannot: another backbone embedded it, or what is stored of it is damaged.
    """


class ConfusedOut(Model):
    """
    The images that a cell of the confusion matrix counts.
    """

    classifier: str
    label: str
    """
    The class that they are registered in.
    """
    named: str
    """
    The class that the other images name.
    """
    of: int
    """
    How many there are, as the confusion matrix says.
    """
    images: list[NamedImage]
    """
    The most probable first.
    """
    next_cursor: str | None
    """
    `cursor` of the next page; null: the last.
    """


class HistoryOut(Model):
    """
    Changes of a classifier, the last first.
    """

    classifier: str
    revision: int
    """
    The content revision that it is at.
    """
    oldest_revision: int
    """
    The oldest one that can be brought back.
    """
    changes: list[PastChangeOut]
    next_cursor: str | None
    """
    `cursor` of the next page; null on the last.
    """


class InboxActionOut(Model):
    """
    What became of a remembered query, which is in the inbox no more.
    """

    id: str
    action: Literal["confirm", "correct", "reject", "delete"] | str
    right: bool | None
    """
    Whether the answer was right, by this; null where that is not told.
    """
    image: InboxImage | None
    """
    Where it is registered, under the first label; null: nowhere.
    """


class InboxOut(Model):
    """
    A page of an inbox, the newest first.
    """

    classifier: str
    items: list[RememberedOut]
    next_cursor: str | None
    """
    `cursor` of the next page; null on the last.
    """
    shift: ShiftOut | None
    """
    Whether the recent queries look less familiar than the support images do, as in answers to queries.
    """


class JobOut(Model):
    """
    A job.
    """

    id: str
    kind: Literal["predict", "register"] | str
    classifier: str
    state: Literal["queued", "running", "done", "failed", "cancelled"] | str
    """
    `queued`; `running`; `done`: every file has a line among the results, also those that could not be used; `failed`: by `problem`; `cancelled`. What has ended in either way keeps the results that it has.
    """
    cancelling: bool
    """
    Whether it was told to end, which it does after the piece that it is at.
    """
    folder: str | None
    """
    What it works on; null: the zip that came with it.
    """
    parameters: dict[str, int | str | None]
    """
    As in the request.
    """
    progress: ProgressOut
    errors: list[FileErrorOut]
    """
    The first 20 files that could not be used; the results have all.
    """
    problem: FaultOut | None
    """
    What the job has failed with.
    """
    waits_for: str | None
    """
    What keeps it from going on at the moment, such as a full disk; it is tried again every few seconds.
    """
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None


class KeyIn(Model):
    """
    Terms of a key that is to be made.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    name: str | None = None
    """
    What it is for, to know it again in lists.
    """
    scopes: list[Scope] | None = None
    """
    What its holder may do: look at classifiers, predict, change them, administer keys.
    """
    classifiers: list[str] | None = None
    """
    The only classifiers that it is for; all of the tenant if null.
    """
    expires_at: AwareDatetime | None = None
    """
    When it ends; when it is revoked if null.
    """
    requests_per_second: float | None = None
    """
    Most requests a second with it; none but those of the tenant if null.
    """
    images_per_second: float | None = None
    """
    Most images a second in them, likewise.
    """
    tenant: str | None = None
    """
    Whose key it is, which an operator may say; your own tenant if null.
    """


class KeyOut(Model):
    """
    A key, without what makes it one: that is told once, when it is made.
    """

    id: str
    """
    Public: it is in the key, and in the audit log.
    """
    tenant: str | None
    """
    Whose; null: the default tenant's.
    """
    name: str
    scopes: list[Scope]
    classifiers: list[str] | None
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    """
    From when on it is not valid any more; later than now while it is rotated.
    """
    used_at: AwareDatetime | None
    """
    When it was last used, to a minute or so.
    """
    requests_per_second: float | None
    images_per_second: float | None


class LearningCurveOut(Model):
    """
    Accuracy against images a class.
    """

    shots: float
    """
    Images a class at hand, geometric mean of the classes.
    """
    measured: list[MeasuredPoint]
    """
    Points that it goes by, the first one by leave-one-out of all images.
    """
    expected: list[ExpectedPoint]
    """
    The curve from one image a class up to `more` images a class beyond `shots`.
    """
    accuracy: EstimateOut
    """
    Accuracy to expect of new images, as it is.
    """
    gain: EstimateOut
    """
    By how much `more` images of every class raise it; 0.02 are two points.
    """


class MapOut(Model):
    """
    Both embeddings of the images as points of a plane, by their principal components.

    The corrected points are turned or mirrored to be near the frozen ones, and both have one scale:
    the point that is furthest from the centre, (0, 0), is at the distance 1.
    """

    classifier: str
    method: Literal["pca"]
    """
    How they are projected.
    """
    revision: int
    """
    Content revision that the map is of.
    """
    of: int
    """
    Images in all; of more than 20000 a sample of each class is here.
    """
    is_corrected: bool
    """
    Whether there are two embeddings, or one twice.
    """
    explained: Explained
    points: list[MapPoint]


class NearCopy(Model):
    """
    An image that shows what another of its class shows: a frame of the same film.
    """

    image_id: str
    label: str
    """
    The class that it is registered in.
    """
    filename: str
    media_type: str
    url: str
    """
    Path of the image; `image-not-stored` where images are not kept.
    """
    copy_of: SimilarImage


class NewKeyOut(Model):
    """
    A key that was just made.
    """

    id: str
    """
    Public: it is in the key, and in the audit log.
    """
    tenant: str | None
    """
    Whose; null: the default tenant's.
    """
    name: str
    scopes: list[Scope]
    classifiers: list[str] | None
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    """
    From when on it is not valid any more; later than now while it is rotated.
    """
    used_at: AwareDatetime | None
    """
    When it was last used, to a minute or so.
    """
    requests_per_second: float | None
    images_per_second: float | None
    key: str
    """
    What is sent with requests. It is told here and never again.
    """


class OpenAIEmbeddingsOut(Model):
    """
    Embeddings in OpenAI's shape: the frozen ones, by which images and texts are comparable.
    """

    object: Literal["list"] | None = None
    model: str
    fingerprint: str
    usage: OpenAIUsage
    data: list[OpenAIEmbedding]


class OverlapOut(Model):
    """
    How alike pairs of images of the same class and of different classes are.
    """

    overlap: float | None
    """
    Area under both histograms, the sum of the smaller shares. 0: likeness tells all about the class, 1: nothing; null: no two images share a class, or all do.
    """
    n_paired: int
    """
    Pairs of images of the same class.
    """
    n_unpaired: int
    """
    Pairs of images of different classes.
    """
    bins: list[SimilarityBin]
    """
    Of 200 equal intervals from -1 to 1 those that are not empty.
    """


class OverlapsOut(Model):
    """
    Intra-modal overlap of both embeddings of the images.
    """

    frozen: OverlapOut
    """
    Of the embedding that is compared with texts.
    """
    corrected: OverlapOut
    """
    Of the embedding that images are compared by.
    """


class PredictionLine(Model):
    """
    A line of the results of a prediction: the members of a prediction, and the file.
    """

    file: str
    label: str
    probability: float
    labels: list[str] | None = None
    """
    As of a prediction, with `multi_label`.
    """
    known: bool
    p_value: float | None
    prediction_set: list[str] | None
    top_k: list[RankedLabelOut]
    evidence: list[EvidenceOut]


class PredictionOut(Model):
    """
    The answer for one image.
    """

    label: str
    probability: float
    labels: list[str] | None = None
    """
    The labels that the image is given: those whose probability is at least their threshold, the most probable first; none is an answer, too. Only of a classifier with `multi_label`, where each probability is of its class alone, and they sum to anything.
    """
    known: bool
    """
    Whether the image looks like any of the classes, at the classifier's false-rejection rate. Always true where there is nothing to tell by: where the best class has no images, and before a class has two; but for images that are nearer to explicit negatives (`not-these`) than to any class.
    """
    p_value: float | None
    """
    How familiar the image looks: the share of the support set's own images, each left out of it, that look no more familiar. `known` is whether it is above the classifier's `false_rejection_rate`; compare it with a threshold of your own for another rate. Below the least familiar of them it is extrapolated. Null where there is nothing to tell by: before a class has two images, and where the best class has none.
    """
    prediction_set: list[str] | None
    """
    Classes that hold the right one as often as the coverage asked for, the most probable first; may be empty where none is probable enough; null without a coverage.
    """
    top_k: list[RankedLabelOut]
    evidence: list[EvidenceOut]


class PredictionsOut(Model):
    """
    The answers, in the order of the uploaded images.
    """

    classifier: str
    shift: ShiftOut | None
    """
    Whether the recent queries, those of this request among them, look less familiar than the support images do to each other: then the support set cannot vouch for these answers. null while too few queries were seen. Changes no answer.
    """
    predictions: list[PredictionOut]


class PromptsList(Model):
    """
    Trained prompts, by name: all, or a page of them.
    """

    prompts: list[PromptsOut]
    next_cursor: str | None
    """
    `cursor` of the next page; null on the last.
    """


class RegisteredImage(Model):
    """
    What became of an uploaded image.
    """

    id: str
    """
    The image's id; that of the first copy if it is a duplicate.
    """
    label: str
    filename: str
    status: Literal["created", "duplicate"] | str
    before: TakenFor | None
    """
    What the image was taken for before this change; null where that was not asked (`predict`), or there was no class to choose from.
    """
    after: TakenFor | None
    """
    What it is taken for after this change, by all images of the request; null where that was not asked.
    """


class RegistrationOut(Model):
    """
    What became of the images of an upload, in their order.
    """

    classifier: str
    created: int
    duplicates: int
    images: list[RegisteredImage]
    skipped: list[SkippedFile]
    """
    Files that are no images by their names: what operating systems, network storage and tools leave in folders, notes and tables.
    """


class ResultLine(RootModel[PredictionLine | RegistrationLine | FileErrorOut]):
    root: PredictionLine | RegistrationLine | FileErrorOut
    """
    A line of results, by the kind of the job; one with a `problem` could not be used.
    """


class UsageOut(Model):
    """
    Limits and use of a tenant.
    """

    tenant: str | None
    """
    Whose; null: the default tenant's.
    """
    requests_per_second: float | None
    """
    Of all its keys together, if limited.
    """
    images_per_second: float | None
    """
    In these requests, if limited.
    """
    classifiers: UseOf
    classes: UseOf
    """
    Of all classifiers.
    """
    images: UseOf
    """
    Support images of all classifiers.
    """
    bytes: UseOf
    """
    Of these images, as they were uploaded; each counts once.
    """


class AdviceOut(Model):
    """
    What a support set needs, and what it can do without.
    """

    classifier: str
    verdict: Literal["enough", "nearly enough", "not enough", "cannot tell"] | str
    """
    `enough`: `more` images a class bring less than a point, by the upper end of the interval; `nearly enough`: by the expected value.
    """
    text: str
    """
    The verdict in a sentence.
    """
    more: int
    """
    Images a class that gains are told for.
    """
    curve: LearningCurveOut | None
    """
    null where there is too little to go by; `text` says what is missing.
    """
    classes: list[ClassNeed]
    """
    Every class, the one that needs images most first: those of too few images to judge, then by expected gain.
    """
    n_can_go: int
    can_go: list[SpareImage]
    """
    Images that can go, all of them together: near copies, then covered ones, the clearest first. At most 500.
    """
    look_at: list[Suspect]
    """
    Images that may do harm: the others find another class at least 30 times as probable as their own. If the label is wrong, move or delete them; if it is right, they are worth more than others. The clearest first; at most 500.
    """


class ClassifierList(Model):
    """
    Classifiers: all, or a page of them.
    """

    next_cursor: str | None
    """
    `cursor` of the next page; null on the last.
    """
    classifiers: list[ClassifierOut]


class JobList(Model):
    """
    A page of jobs, the newest first.
    """

    jobs: list[JobOut]
    next_cursor: str | None
    """
    `cursor` of the next page; null on the last.
    """


class KeyList(Model):
    """
    Keys, oldest first, all or a page of them; those that ended stay for 90 days.
    """

    keys: list[KeyOut]
    next_cursor: str | None
    """
    `cursor` of the next page; null on the last.
    """


class ReportOut(Model):
    """
    What a classifier's own images say of it, each named by the others.
    """

    classifier: str
    n_classes: int
    n_images: int
    n_negatives: int
    """
    Explicit negatives, the images of the class `not-these`, which are in none of the other numbers.
    """
    tuning: TuningOut
    examined: ExaminedOut
    accuracy: float | None
    """
    Mean of the classes' accuracies: what to expect of new images like these; null: no class has two images.
    """
    classes: list[ClassReport]
    """
    In the order of their registration.
    """
    confusions: list[Confusion]
    """
    Which class was taken for which, the most frequent first; at most 1000.
    """
    confusion_matrix: ConfusionMatrix | None
    """
    null for more than 100 classes; `confusions` says the same.
    """
    n_suspects: int
    suspects: list[Suspect]
    """
    Images that look mislabelled: the other images find another class at least 3 times as probable as their own. The clearest first; at most 500.
    """
    n_redundant: int
    redundant: list[NearCopy]
    """
    Near copies, the nearest first; at most 500. They add little, and make leave-one-out promise too much.
    """
    advice: AdviceOut
    overlap: OverlapsOut
    measures: MeasuresOut
    """
    What the embeddings of the images are like before and after the correction.
    """
    calibration: CalibrationOut
    shift: ShiftOut | None
    """
    Whether the recent queries look less familiar than the support images do to each other: then nothing of this report may hold for them. null while too few were seen.
    """
