"""The scripted provider, running."""

from starlette.types import ASGIApp

from tests.scripted_server.app import App
from tests.scripted_server.running import Running
from tests.scripted_server.script import Script


class ScriptedServer(Script, Running):
    """A script, a journal, and a loopback port where the one is played and the other written.

        with ScriptedServer() as server:
            server.reply("vendor/model-a", faults.rate_limited(), "The second try gets this.")
            ...
            assert server.counts["vendor/model-a"] == 2

    `root` is what `OLLAMA_HOST` takes. `api_key`, where given, is the only one that is let in.

    Attributes:
        url: What a client takes as its base URL, with `/v1`.
    """

    def __init__(self, *, port: int = 0, api_key: str | None = None) -> None:
        self._api_key = api_key
        Script.__init__(self)
        Running.__init__(self, port)
        self.url = f"{self.root}/v1"

    def application(self) -> ASGIApp:
        return App(self, self, self._api_key).router
