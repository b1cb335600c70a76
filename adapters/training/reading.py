"""How training reads image files: by what it is given, which is what the service reads them by."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

ReadImage = Callable[[bytes, int | None], Image.Image]
"""An image file, and the pixels that both sides keep at least, to an upright RGB picture.

None leaves it as large as it is. Raises whatever is wrong with the file. Can be pickled.
"""
