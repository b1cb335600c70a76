"""Identity: annotations are a classifier's, whatever it is called, and no other's of its name."""

from __future__ import annotations

from sqlalchemy.orm import Session

from service.problems import ClassifierNotFound
from service.registry.live import LiveClassifier
from service.storage.recording import Recorded


def identified(live: LiveClassifier, classifier_id: int) -> None:
    """See that a classifier is the one that is meant.

    Raises:
        ClassifierNotFound: It is another one of its name.
    """
    if live.state.id != classifier_id:
        raise ClassifierNotFound(live.name)


class Only:
    """Recorder that undoes a change of any classifier but one.

    Args:
        classifier_id: Of that one.
    """

    def __init__(self, classifier_id: int) -> None:
        self._id = classifier_id

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """See which one it is.

        Raises:
            ClassifierNotFound: It got the name after it was looked for.
        """
        if recorded.classifier_id != self._id:
            raise ClassifierNotFound(recorded.name)
