"""The MCP server: the tools, and what agents are told of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, NoReturn

from mcp import MCPError
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp_types import INVALID_PARAMS, ToolAnnotations

from service.mcp_tools.asking import AskingTools
from service.mcp_tools.calling import Asking
from service.mcp_tools.changing import ChangingTools
from service.mcp_tools.local_images import LocalImages
from service.mcp_tools.looking import LookingTools

_INSTRUCTIONS = """\
Handful classifies images by a few examples a class; nothing is trained. list_classifiers first. \
classify says what images are; where known is false they resemble no class. explain shows why. To \
teach a class, add_examples with a few images of it, also one by one. suggest says which images \
are worth a label next, report how good a classifier is. undo takes changes back: history has them.\
"""

_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_UNDOES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False
)


def mcp_server(asking: Asking, local: LocalImages | None = None) -> MCPServer[Any]:
    """An MCP server with all tools.

    Args:
        asking: Opens the client for a call.
        local: Images on the disk that may be named; None: none, and no tool speaks of paths.
    """
    looking = LookingTools(asking)
    about_images = AskingTools(asking, local)
    changing = ChangingTools(asking, local)
    tools = [
        _tool(looking.list_classifiers, _READS),
        _tool(looking.describe_classifier, _READS),
        _tool(about_images.classify, _READS),
        _tool(about_images.explain, _READS),
        _tool(changing.add_examples, _ADDS),
        _tool(about_images.suggest, _READS),
        _tool(looking.report, _READS),
        _tool(looking.history, _READS),
        _tool(changing.undo, _UNDOES),
    ]
    if local is None:
        for tool in tools:
            for schema in tool.parameters.get("$defs", {}).values():
                schema["properties"].pop("path", None)
    with _root_logger_as_it_is():
        return _Server(
            "handful",
            title="Handful",
            instructions=_INSTRUCTIONS,
            version=version("handful"),
            tools=tools,
            subscriptions=False,  # nothing is told but what is asked for: no stream is kept open
        )


class _Server(MCPServer[Any]):
    """A server without prompts: to the SDK the name of one is a defect, with a traceback."""

    async def get_prompt(self, name: str, *_: Any, **__: Any) -> NoReturn:
        raise MCPError(INVALID_PARAMS, f"Unknown prompt: {name}")


def _tool(function: Callable[..., Any], annotations: ToolAnnotations) -> Tool:
    return Tool.from_function(function, annotations=annotations, structured_output=True)


@contextmanager
def _root_logger_as_it_is() -> Iterator[None]:
    """Keep the server from configuring the root logger, which it does where nobody has."""
    root, nothing = logging.getLogger(), logging.NullHandler()
    root.addHandler(nothing)
    try:
        yield
    finally:
        root.removeHandler(nothing)
