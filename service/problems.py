"""Everything that can be wrong with a request, as RFC 9457 problems.

Each class is one ``type`` of problem document; its ``detail`` says what was wrong with this
request and how to mend it. The API's error responses are made of these and nothing else.
"""

from __future__ import annotations

from fastapi_problem.error import StatusProblem

from service.tenancy import bare


class ClassifierNotFound(StatusProblem):
    """No classifier of that name."""

    type_ = "classifier-not-found"
    title = "There is no such classifier"
    status = 404

    def __init__(self, name: str) -> None:
        name = bare(name)
        super().__init__(
            f"There is no classifier {name!r}. Create it with PUT /v1/classifiers/{name}."
        )


class ClassNotFound(StatusProblem):
    """No class of that label."""

    type_ = "class-not-found"
    title = "There is no such class"
    status = 404

    def __init__(self, classifier: str, label: str) -> None:
        classifier = bare(classifier)
        super().__init__(
            f"Classifier {classifier!r} has no class {label!r}. "
            f"GET /v1/classifiers/{classifier}/classes lists those it has."
        )


class ImageNotFound(StatusProblem):
    """No support image of that id."""

    type_ = "image-not-found"
    title = "There is no such support image"
    status = 404


class ModelNotFound(StatusProblem):
    """No model of that name."""

    type_ = "model-not-found"
    title = "There is no such model"
    status = 404


class NoSuchPath(StatusProblem):
    """No resource can have that path."""

    type_ = "http-not-found"
    title = "There is nothing at that path"
    status = 404


class MethodNotAllowed(StatusProblem):
    """The path takes other methods; ``Allow`` says which."""

    type_ = "http-method-not-allowed"
    title = "That path does not take this method"
    status = 405


class InvalidPath(StatusProblem):
    """A path that different programs read differently."""

    type_ = "invalid-path"
    title = "The path is not written unambiguously"
    status = 400


class InvalidName(StatusProblem):
    """A classifier name or a label that cannot be used."""

    type_ = "invalid-name"
    title = "That name cannot be used"
    status = 422


class InvalidSettings(StatusProblem):
    """Classifier settings that contradict each other."""

    type_ = "invalid-settings"
    title = "These settings cannot be used"
    status = 422


class InvalidRequest(StatusProblem):
    """JSON or parameters that are not as described."""

    type_ = "request-validation-failed"
    title = "The request is not as described"
    status = 422


class NoClasses(StatusProblem):
    """A prediction was asked of a classifier with nothing to choose from."""

    type_ = "no-classes"
    title = "The classifier has nothing to choose from"
    status = 409


class ClassifierExists(StatusProblem):
    """A classifier was to be created, and there is another one of that name."""

    type_ = "classifier-exists"
    title = "There is a classifier of that name"
    status = 409

    def __init__(self, name: str, detail: str | None = None) -> None:
        name = bare(name)
        super().__init__(
            detail
            or f"There is a classifier {name!r}, and it is not the one in the file. Import it"
            f" under another name, or DELETE /v1/classifiers/{name} first."
        )


class OtherFingerprint(StatusProblem):
    """An embedding of a request comes from something else than the classifier's do."""

    type_ = "other-fingerprint"
    title = "That embedding cannot be compared with the classifier's"
    status = 409


class OtherLabel(StatusProblem):
    """An image is said to be of another class than the path is about."""

    type_ = "other-label"
    title = "The image has the label of another class"
    status = 409


class ClassExists(StatusProblem):
    """A class was to be called as another one is."""

    type_ = "class-exists"
    title = "There is a class of that label"
    status = 409

    def __init__(self, classifier: str, label: str) -> None:
        super().__init__(
            f"Classifier {bare(classifier)!r} has a class {label!r} already. Merge the two"
            f" (POST .../classes/{label}/merge), or choose another label."
        )


class CannotRevert(StatusProblem):
    """What a classifier was at a revision cannot be brought back."""

    type_ = "cannot-revert"
    title = "That revision cannot be brought back"
    status = 409


class ImportedBackbone(StatusProblem):
    """A classifier's file holds embeddings of another backbone, and not all of its images."""

    type_ = "imported-backbone"
    title = "The file was embedded by another backbone"
    status = 422


class InvalidPrecondition(StatusProblem):
    """``If-Match`` or ``If-None-Match`` that is no list of entity tags (RFC 9110, 13.1)."""

    type_ = "invalid-precondition"
    title = "The precondition cannot be read"
    status = 400


class PreconditionFailed(StatusProblem):
    """The classifier is not in the state that the change was made for (RFC 9110, 15.5.13)."""

    type_ = "precondition-failed"
    title = "The classifier is in another state"
    status = 412


class InvalidIdempotencyKey(StatusProblem):
    """An ``Idempotency-Key`` that is none."""

    type_ = "invalid-idempotency-key"
    title = "The Idempotency-Key cannot be read"
    status = 400


class IdempotencyKeyInUse(StatusProblem):
    """A request with the same ``Idempotency-Key`` is being carried out."""

    type_ = "idempotency-key-in-use"
    title = "That request is being carried out"
    status = 409


class IdempotencyKeyReused(StatusProblem):
    """The ``Idempotency-Key`` is that of another request."""

    type_ = "idempotency-key-reused"
    title = "The Idempotency-Key is that of another request"
    status = 422


class AlreadyCarriedOut(StatusProblem):
    """The change was made before, once, and what was answered is not known any more."""

    type_ = "already-carried-out"
    title = "The change was made already"
    status = 409


class InvalidCursor(StatusProblem):
    """A cursor of a page that no answer has given, or whose place is gone."""

    type_ = "invalid-cursor"
    title = "That page cannot be found"
    status = 422


class NotAnImage(StatusProblem):
    """The bytes are no image of a known format."""

    type_ = "not-an-image"
    title = "That is not an image that can be read"
    status = 422


class BrokenImage(StatusProblem):
    """The image is cut short or damaged."""

    type_ = "broken-image"
    title = "The image is truncated or damaged"
    status = 422


class ImageTooLarge(StatusProblem):
    """Too many bytes or too many pixels in one image."""

    type_ = "image-too-large"
    title = "The image is too large"
    status = 413


class MalformedRequest(StatusProblem):
    """Bytes that are no HTTP."""

    type_ = "malformed-request"
    title = "That is not a request that can be read"
    status = 400


class ForeignOrigin(StatusProblem):
    """A web page of another site would change something."""

    type_ = "foreign-origin"
    title = "That web page may change nothing here"
    status = 403


class UnknownHost(StatusProblem):
    """The request was sent to a name that is not the service's (RFC 9110, 15.5.20)."""

    type_ = "unknown-host"
    title = "The service does not go by that name"
    status = 421


class RequestTimeout(StatusProblem):
    """The request comes too slowly, or no more (RFC 9110, 15.5.9)."""

    type_ = "request-timeout"
    title = "The request took too long to arrive"
    status = 408


class RequestHeadTooLarge(StatusProblem):
    """Too many bytes or fields before, or around, the body (RFC 6585, 5)."""

    type_ = "request-head-too-large"
    title = "The request's header fields are too large"
    status = 431


class RequestTooLarge(StatusProblem):
    """Too many bytes or too many images in one request."""

    type_ = "request-too-large"
    title = "The request is too large"
    status = 413


class AnswerTooLarge(StatusProblem):
    """More was asked for than one answer holds."""

    type_ = "answer-too-large"
    title = "The answer would be too large"
    status = 422


class EmptyUpload(StatusProblem):
    """No image in the request."""

    type_ = "empty-upload"
    title = "The request carries no image"
    status = 422


class CannotFetch(StatusProblem):
    """An image that is given by its URL cannot be fetched."""

    type_ = "cannot-fetch"
    title = "The image cannot be fetched"
    status = 422


class InvalidUpload(StatusProblem):
    """The body cannot be taken apart."""

    type_ = "invalid-upload"
    title = "The upload cannot be read"
    status = 422


class UnsupportedMediaType(StatusProblem):
    """A body of a kind that this address does not take."""

    type_ = "unsupported-media-type"
    title = "That kind of body is not accepted here"
    status = 415


class NotReady(StatusProblem):
    """The backbone is still loading."""

    type_ = "not-ready"
    title = "The service is starting"
    status = 503


class EncoderAway(NotReady):
    """No encoder process lives, and one is being started."""

    def __init__(self, _: str | None = None) -> None:
        super().__init__(
            "The encoder is being started again. Send the request again in a few seconds; nothing "
            "was changed by it.",
            headers={"retry-after": "5"},
        )


class ShuttingDown(StatusProblem):
    """The service ends before the request is done."""

    type_ = "shutting-down"
    title = "The service is shutting down"
    status = 503


class Overloaded(StatusProblem):
    """More waits than is admitted; ``Retry-After`` says when it should be less."""

    type_ = "overloaded"
    title = "The service has too much to do"
    status = 503


class ChangedMeanwhile(StatusProblem):
    """Other processes kept changing what was to be changed."""

    type_ = "changed-meanwhile"
    title = "The classifier is being changed by others"
    status = 503


class StorageUnavailable(StatusProblem):
    """The database cannot be used at the moment; nothing was written."""

    type_ = "storage-unavailable"
    title = "The database cannot be used now"
    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"retry-after": "5"})


class StorageFull(StatusProblem):
    """There is no room for what was to be written; nothing was (RFC 4918, section 11.5)."""

    type_ = "storage-full"
    title = "The disk is full"
    status = 507


class OtherBackbone(StatusProblem):
    """What is stored was embedded by another backbone than the one that serves."""

    type_ = "other-backbone"
    title = "That was embedded by another backbone"
    status = 503


class ReEmbeddingUnderWay(StatusProblem):
    """The database moves to another recipe than the one that was asked for."""

    type_ = "re-embedding-under-way"
    title = "The database is being embedded anew already"
    status = 409

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(
            detail
            or "The database is on its way to another recipe. GET /v1/re-embedding tells to which; "
            "wait until it is there, or DELETE /v1/re-embedding to go back."
        )


class CannotReEmbed(StatusProblem):
    """Stored images cannot be embedded anew, or not by this service."""

    type_ = "cannot-re-embed"
    title = "The database cannot be embedded anew"
    status = 409


class ClassifierDamaged(StatusProblem):
    """Something that is stored of a classifier cannot be read; the others are not concerned."""

    type_ = "classifier-damaged"
    title = "The stored classifier is damaged"
    status = 500

    def __init__(self, name: str, damage: str) -> None:
        name = bare(name)
        super().__init__(
            f"Classifier {name!r} cannot be read: {damage}. The others are not concerned. Restore "
            f"the database from a backup, or DELETE /v1/classifiers/{name} and register its images "
            "again."
        )


class DeadlineExceeded(StatusProblem):
    """The answer was not there in time, and is no longer worked on."""

    type_ = "deadline-exceeded"
    title = "There was no answer in time"
    status = 504


class ImageNotStored(StatusProblem):
    """The image was registered while images were not kept."""

    type_ = "image-not-stored"
    title = "The image itself was not kept"
    status = 404


class RememberedNotFound(StatusProblem):
    """No query of that id is in the inbox: it was judged, or forgotten, or never there."""

    type_ = "not-in-the-inbox"
    title = "There is nothing of that id in the inbox"
    status = 404

    def __init__(self, classifier: str, public_id: str) -> None:
        name = bare(classifier)
        super().__init__(
            f"The inbox of classifier {name!r} has nothing of the id {public_id!r}: it was judged "
            f"already, or forgotten. GET /v1/classifiers/{name}/inbox lists what it has."
        )


class JobNotFound(StatusProblem):
    """No job of that id."""

    type_ = "job-not-found"
    title = "There is no such job"
    status = 404

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"There is no job {job_id!r}. Jobs that have ended are removed after some days "
            "(HANDFUL_JOB_HOURS). GET /v1/jobs lists those that there are."
        )


class JobElsewhere(StatusProblem):
    """Results that lie on another machine of the service."""

    type_ = "job-elsewhere"
    title = "The results of the job lie on another machine"
    status = 409


class FolderNotAllowed(StatusProblem):
    """A folder of the machine that no job may read."""

    type_ = "folder-not-allowed"
    title = "That folder may not be read"
    status = 403


class TooManyJobs(StatusProblem):
    """No more jobs are taken until others have ended or are deleted."""

    type_ = "too-many-jobs"
    title = "There are too many jobs"
    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"retry-after": "60"})


class InternalError(StatusProblem):
    """A defect of the service; the log has the traceback."""

    type_ = "internal-error"
    title = "The service failed"
    status = 500

    def __init__(self, _: str | None = None) -> None:
        super().__init__("The request could not be served; nothing was changed by it.")


class KeyRequired(StatusProblem):
    """The request comes without a key that is valid (RFC 6750, 3; RFC 9110, 15.5.2)."""

    type_ = "key-required"
    title = "That needs a valid key"
    status = 401

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"www-authenticate": "Bearer"})


class NotAllowed(StatusProblem):
    """The key is valid, and its holder may not do that."""

    type_ = "not-allowed"
    title = "The key does not allow that"
    status = 403


class KeysUnavailable(StatusProblem):
    """Nobody knows whether keys are still valid: the database cannot be asked."""

    type_ = "keys-unavailable"
    title = "Keys cannot be checked now"
    status = 503

    def __init__(self, _: str | None = None) -> None:
        super().__init__(
            "The database of the keys cannot be reached, so none is taken for valid. Send the "
            "request again in a few seconds.",
            headers={"retry-after": "5"},
        )


class KeyNotFound(StatusProblem):
    """No key of that id."""

    type_ = "key-not-found"
    title = "There is no such key"
    status = 404

    def __init__(self, key_id: str, advice: str = "GET /v1/keys lists those there are.") -> None:
        super().__init__(f"There is no key {key_id[:64]!r} that is valid. {advice}")


class TooManyKeys(StatusProblem):
    """A tenant has as many valid keys as it may have."""

    type_ = "too-many-keys"
    title = "There are too many keys"
    status = 409


class KeysNotUsed(StatusProblem):
    """Keys are not what the service lets requests in by."""

    type_ = "keys-not-used"
    title = "The service asks for no keys"
    status = 409

    def __init__(self, _: str | None = None) -> None:
        super().__init__(
            "This service asks for no keys, so nobody who reaches it may make or end any. Start it "
            "with HANDFUL_AUTH=keys; the first key is made where it runs: handful keys create."
        )


class RateLimited(StatusProblem):
    """More a second than the key or its tenant may send (RFC 6585, 4)."""

    type_ = "rate-limited"
    title = "That is too much in so short a time"
    status = 429


class QuotaExceeded(StatusProblem):
    """The tenant would own more than it may; nothing was written."""

    type_ = "quota-exceeded"
    title = "The tenant may own no more"
    status = 403

    def __init__(self, what: str, limit: int, used: int) -> None:
        super().__init__(
            f"The tenant would have {used} {what}, and may have {limit}. Nothing was changed: "
            "delete what is not needed any more, or ask who operates the service for more. GET "
            "/v1/usage shows limits and use.",
            what=what,
            limit=limit,
            used=used,
        )
