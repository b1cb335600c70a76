"""Problems of classifiers: there is none, there is one already, it cannot be used so."""

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


class SeveralLabels(StatusProblem):
    """What has no meaning where an image may have several labels."""

    type_ = "several-labels"
    title = "The classifier's images may have several labels"
    status = 409


class SingleLabels(StatusProblem):
    """What has no meaning where each image has one label."""

    type_ = "single-labels"
    title = "Each of the classifier's images has one label"
    status = 409


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


class ImageDamaged(StatusProblem):
    """The bytes of an image are not there, or are others."""

    type_ = "image-damaged"
    title = "The stored image is damaged"
    status = 500

    def __init__(self, damage: str) -> None:
        super().__init__(
            f"The bytes of this image {damage}. The others are not concerned, and it still counts "
            "in its class. Restore them from a backup (the log says which), or DELETE the "
            "image and register it again."
        )


class ImageNotStored(StatusProblem):
    """The image was registered while images were not kept."""

    type_ = "image-not-stored"
    title = "The image itself was not kept"
    status = 404
