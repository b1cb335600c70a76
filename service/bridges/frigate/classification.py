"""Classification: what a running service says of a picture, asked by the Python client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from handful_client import AsyncClient, HandfulError

from service.bridges.frigate.voting import Answer

# Seconds of an answer, and within which a service that has too much to do is asked again.
SECONDS, PATIENCE = 20.0, 20.0

Classify = Callable[[str, bytes], Awaitable[Answer | None]]


class NoClassification(Exception):
    """The service has no answer to a picture."""


def classifying(client: AsyncClient) -> Classify:
    """A function of a classifier's name and a picture; None is said of one that is not known.

    It waits as long as the service asks it to (``Retry-After``), and raises
    :class:`NoClassification` where there is no answer within the client's patience, or none at all.
    """

    async def classify(classifier: str, picture: bytes) -> Answer | None:
        try:
            said = await client.classifier(classifier).predict(picture, top_k=1, evidence=0)
        except HandfulError as error:
            raise NoClassification(f"{classifier}: {error}") from error
        if not said.known or said.labels == []:
            return None
        return Answer(said.label, said.probability)

    return classify
