"""The image that servers run from: the lab as it stands in its folder, built offline."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import docker
from docker.errors import BuildError

from chaos.docker.engine import EngineFailed
from scenarios.import_path import ROOT
from scenarios.worlds.docker.base_image import base_image

NAME = "dtms-lab"
LINES_SHOWN = 12
"""Of what a build that failed has said: the last ones."""


def lab_image(client: docker.DockerClient) -> str:
    """The image's id. What has not changed the engine takes from its cache, so that one that is
    there already costs a fraction of a second. Raises `EngineFailed`."""
    if not Path(ROOT, "Dockerfile").exists():
        raise EngineFailed(f"there is no Dockerfile in {ROOT}; run the lab from a clone")
    try:
        image, _log = client.images.build(
            path=ROOT,
            tag=NAME,
            buildargs={"BASE": base_image(client)},
            network_mode="none",
            rm=True,
            forcerm=True,
        )
    except PackageNotFoundError as error:
        raise EngineFailed(f"no image can be made of this Python: {error}") from error
    except BuildError as error:
        said = [str(line.get("stream", "")).strip() for line in error.build_log]
        told = " ".join(filter(None, said[-LINES_SHOWN:]))
        raise EngineFailed(f"the image could not be built: {error.msg} {told}".strip()) from error
    return str(image.id)
