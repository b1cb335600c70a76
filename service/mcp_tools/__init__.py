"""Tools of the Model Context Protocol (MCP): the service for agents, by the client of its own API.

Whoever may do what, limits, quotas and errors are therefore those of the API. The tools are served
over stdio by ``handful mcp`` and over HTTP by :mod:`service.integrations.mcp`.
"""
