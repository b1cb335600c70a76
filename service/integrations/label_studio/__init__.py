"""Label Studio's ML backend: a classifier that pre-annotates, and learns from annotations.

Label Studio knows a backend by a URL, ``/label-studio/{name}``, which is one classifier's:

    routes.py            what it asks, and what it is answered
    labelling_config.py  which choices of which image a project asks people for
    predicting.py        tasks → predictions
    events.py            webhooks → what they say of annotations
    merging.py           in any order, and twice, into the rows of annotations
    desired_state.py     these rows: what classifiers are to be brought to
    worker.py            whatever is due, in the background
    learning.py          annotations → images of the classifier, and what they hold of it
    identity.py          another classifier of the same name
    learnt_images.py     images that come by them, and go with the last that holds them
    comparing.py         a whole project, as webhooks get lost
    images.py, places.py, credentials.py  where images are, and how they are asked for
"""

from __future__ import annotations

from service.api.integration import Contract
from service.fetching import fetcher_of
from service.integrations.label_studio.images import LabelStudio
from service.integrations.label_studio.routes import (
    required_access,
    router_of,
    takes_images,
)
from service.integrations.label_studio.worker import Worker
from service.settings import Settings


def contract(settings: Settings) -> Contract:
    """The backend of the Label Studio of the settings."""
    elsewhere = fetcher_of(settings.fetch_from, settings.max_image_bytes)
    label_studio = LabelStudio(settings, elsewhere)
    worker = Worker(label_studio)
    return Contract(
        router=router_of(label_studio, worker, settings.label_studio_tenant),
        required_access=required_access,
        takes_images=takes_images,
        beside=worker.beside,
    )
