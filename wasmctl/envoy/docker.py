"""An Envoy of a container image, run by docker's command line. Only where it is asked for.

The container shares the host's network, so that addresses mean the same on both sides, runs as the
user, sees one folder, and gets nothing of the environment.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Final

from wasmctl.envoy.binary import known_as, remember_as, without_wasm
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.probe import ask_envoy
from wasmctl.errors import ProxyError
from wasmctl.process import capture, follow
from wasmctl.programs import find_program

if TYPE_CHECKING:
    from pathlib import Path

    from wasmctl.session import Session

__all__ = ["docker_envoy"]

_RELEASE: Final = re.compile(r"(\d+\.\d+)(\.\d+)?")
# Becomes `docker run`, and leaves behind a watcher of it in a session of its own: a container does
# not end with a docker command that is killed.
_WATCHED: Final = """\
docker=$1 name=wasmctl-$$-$(date +%s)
shift
setsid sh -c 'while kill -0 "$1"; do sleep 1; done; "$2" rm --force "$3"' \
  sh $$ "$docker" "$name" </dev/null >/dev/null 2>&1 &
exec "$docker" run --name "$name" "$@"
"""


def docker_envoy(text: str, session: Session) -> Envoy:
    """Return the Envoy of an image; the image is pulled where the engine has not got it.

    Args:
        text: an image, or a release of Envoy's own image: `1.40` for its newest patch, `1.40.0`.
        session: the environment, and who is told.

    Raises:
        ProxyError: there is no docker, engine or image, or no Envoy with Wasm in the image.
    """
    docker = find_program("docker", session.env)
    if docker is None or sys.platform != "linux":
        # Elsewhere the engine has a machine, and so a network, of its own.
        message = f"`docker:{text}` needs the program `docker`, on Linux"
        hint = "name a release, as `--envoy 1.40`: that needs no docker"
        raise ProxyError("no-docker", message, hint=hint)
    image = _image(text)
    identity = _pulled(docker, image, session)
    options = [
        "--rm",
        "--pull=never",
        "--network=host",
        f"--user={os.getuid()}:{os.getgid()}",
        # The images' own entry points start Envoy as a user who could not write our folder.
        "--entrypoint=envoy",
    ]
    known = known_as(f"docker:{image}", [identity], session.env)
    if known is None:
        known = ask_envoy((str(docker), "run", *options, image), session.env, name=image)
        remember_as(f"docker:{image}", [identity], known, session.env)
    if not known.has_wasm:
        raise without_wasm(f"the image `{image}` (Envoy {known.version})", known.version)
    command = ("/bin/sh", "-c", _WATCHED, "sh", str(docker), *options)
    return Envoy(version=known.version, command=command, origin=f"docker:{image}", image=image)


def _image(text: str) -> str:
    """Return the image that is meant; a bare release means Envoy's own image."""
    found = _RELEASE.fullmatch(text)
    if found is None:
        return text
    # https://www.envoyproxy.io/docs/envoy/latest/start/install#install-envoy-using-docker
    return f"envoyproxy/envoy:v{text}" if found[2] else f"envoyproxy/envoy:v{text}-latest"


def _pulled(docker: Path, image: str, session: Session) -> str:
    """Return the id of an image, which is pulled where the engine has not got it."""
    inspect = [str(docker), "image", "inspect", "--format", "{{.Id}}", image]
    said = capture(inspect, env=session.env)
    if said.exit_code == 0:
        return said.stdout.strip()
    output = said.stderr
    if "no such image" in output.lower():
        console = session.console
        console.say(f"pulling the image {image}")
        argv = [str(docker), "pull", image]
        done = follow(
            argv,
            env=session.env,
            cwd=session.cwd,
            live=console.live,
            stdin_terminal=session.prompts,
        )
        said = capture(inspect, env=session.env)
        if said.exit_code == 0:
            return said.stdout.strip()
        output = "" if console.live is not None else done.stderr
    message = f"docker has no image `{image}` for us"
    hint = "see what docker says, or name a release, as `--envoy 1.40`: that needs no docker"
    raise ProxyError("no-such-envoy", message, hint=hint, output=output)
