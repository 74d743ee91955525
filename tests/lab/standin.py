"""Stands in for a cloud, and for the provider that makes keys: the providers of the SDKs `linode` and `tls`.

    python -m tests.lab.standin <address of the engine>

An instance is a lab host that is there already: `STOCKADE_STANDIN` has how to log in there. "Making" it gives it the
authorized keys and, as cloud-init does, the host key of the program.
"""

import asyncio
import base64
import json
import os
import shlex
from concurrent import futures
from typing import Any

import asyncssh
import grpc
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import proto
from pulumi.runtime.proto import provider_pb2_grpc

SETUP = """
umask 077
printf '%s\\n' "$KEYS" >>/root/.ssh/authorized_keys
printf '%s\\n' "$HOST_KEY" >/etc/ssh/ssh_host_ed25519_key
ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key >/etc/ssh/ssh_host_ed25519_key.pub
systemctl restart ssh
"""


async def _make(inputs: dict[str, Any]) -> dict[str, Any]:
    where = json.loads(os.environ["STOCKADE_STANDIN"])
    text = base64.b64decode(inputs["metadatas"][0]["userData"]).decode()
    host_key = json.loads(text.removeprefix("#cloud-config\n"))["ssh_keys"]["ed25519_private"]
    setup = {"KEYS": "\n".join(inputs["authorizedKeys"]), "HOST_KEY": host_key}
    lines = "".join(f"{name}={shlex.quote(value.strip())}\n" for name, value in setup.items())
    async with asyncssh.connect(
        where["address"], username="root", client_keys=[where["keyFile"]], known_hosts=None
    ) as connection:
        await connection.run("sh -e", input=lines + SETUP, check=True)
    return {"ipv4s": [where["address"]], "ipAddress": where["address"]}


def _key() -> dict[str, Any]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    return {
        "privateKeyOpenssh": key.export_private_key().decode(),
        "publicKeyOpenssh": key.export_public_key().decode(),
    }


class Cloud(provider_pb2_grpc.ResourceProviderServicer):
    """Makes instances and keys."""

    def CheckConfig(self, request: Any, _context: Any) -> Any:
        return proto.CheckResponse(inputs=request.news)

    def DiffConfig(self, _request: Any, _context: Any) -> Any:
        return proto.DiffResponse(changes=proto.DiffResponse.DIFF_NONE)

    def Configure(self, _request: Any, _context: Any) -> Any:
        return proto.ConfigureResponse()

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:
        return proto.PluginInfo(version="99.0.0")

    def Check(self, request: Any, _context: Any) -> Any:
        return proto.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, _context: Any) -> Any:
        olds, news = MessageToDict(request.olds), MessageToDict(request.news)
        same = all(olds.get(name) == value for name, value in news.items())
        return proto.DiffResponse(changes=proto.DiffResponse.DIFF_NONE if same else proto.DiffResponse.DIFF_SOME)

    def Create(self, request: Any, _context: Any) -> Any:
        inputs = MessageToDict(request.properties)
        made = _key() if "privateKey:" in request.urn else asyncio.run(_make(inputs))
        return proto.CreateResponse(id="1", properties=ParseDict({**inputs, **made}, Struct()))

    def Delete(self, _request: Any, _context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, _request: Any, _context: Any) -> Any:
        return empty_pb2.Empty()


def main() -> None:
    """Serve until the engine ends."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Cloud(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
