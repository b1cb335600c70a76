"""The SDK's part: what parses messages, and hands them to the tools."""

from __future__ import annotations

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from service.integrations.mcp.own_application import asking_itself
from service.mcp_tools.server import mcp_server


def session_manager(most_bytes: int) -> StreamableHTTPSessionManager:
    """A manager of no sessions: each request stands for itself, and is answered in JSON.

    Args:
        most_bytes: Of a message.
    """
    server = mcp_server(asking_itself)
    server.streamable_http_app(  # which is not mounted: its session manager is asked itself
        json_response=True,
        stateless_http=True,
        max_request_body_size=most_bytes,
        # The service has looked at Host and Origin before (service/api/middleware/cross_site.py).
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return server.session_manager
