"""``classes.json`` of a data set: class names and templates as a paper writes them.

Folders cannot be named ``F/A-18``, and of two classes with one name each needs a folder; so what is
written into the template stands beside them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.datasets.dataset import Dataset, DatasetError

FILE = "classes.json"
_MOST_BYTES = 4 << 20


class ClassNames(BaseModel):
    """What the file holds.

    Attributes:
        names: Class name by label, which is the name of a folder.
        templates: Prompt templates with ``{}``.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    names: dict[str, str] = Field(default_factory=dict)
    templates: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReadNames:
    """The names and templates of a data set, and where they are from; None: from nowhere."""

    names: ClassNames
    path: Path | None


def read_names(folder: Path, dataset: Dataset) -> ReadNames:
    """Read the file of a data set, if it has one.

    Args:
        folder: Of the data set.
        dataset: Its classes.

    Raises:
        DatasetError: The file is not as it should be.
    """
    path = folder / FILE
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DatasetError(f"{path} is larger than {_MOST_BYTES >> 20} MiB; make it anew")
        read = ClassNames.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return ReadNames(ClassNames(), None)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        [*where] = error.errors()[0]["loc"]
        place = f" at {'.'.join(map(str, where))}" if where else ""
        raise DatasetError(
            f"{path} is not as it should be{place}: {error.errors()[0]['msg']}. It reads "
            f"{json.dumps({'names': {'FOLDER': 'class name'}, 'templates': ['a photo of a {}.']})}."
        ) from error
    if strangers := sorted(read.names.keys() - set(dataset.labels)):
        raise DatasetError(
            f"{path} names classes that have no folder: {', '.join(strangers)}; take them out, or "
            "add their images"
        )
    if bad := [template for template in read.templates if "{}" not in template]:
        raise DatasetError(f"{path}: the template {bad[0]!r} has no {{}} for the class name")
    return ReadNames(read, path)
