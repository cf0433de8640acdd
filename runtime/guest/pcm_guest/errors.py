"""The exceptions that code in the sandbox can catch when the host refuses or fails."""

from __future__ import annotations


class RPCError(Exception):
    """Anything that went wrong between the sandbox and the host."""


class RPCTransportError(RPCError):
    """The host's reply could not be understood."""


class NamespaceError(RPCError):
    """A call on one of the namespaces failed on the host."""

    namespace = ""

    def __init__(self, operation: str, message: str, original_type: str) -> None:
        super().__init__(f"{self.namespace}.{operation}: [{original_type}] {message}")
        self.operation = operation
        self.message = message
        self.original_type = original_type

    def __reduce__(self) -> tuple[type[NamespaceError], tuple[str, str, str]]:
        return type(self), (self.operation, self.message, self.original_type)


class ToolError(NamespaceError):
    """A tool is unknown, was refused, or failed."""

    namespace = "tools"


class WorkflowError(NamespaceError):
    """A workflow is unknown, invalid, or could not be stored."""

    namespace = "workflows"


class ArtifactError(NamespaceError):
    """An artifact is missing, or its name or content was refused."""

    namespace = "artifacts"


class DepsError(NamespaceError):
    """A dependency was refused or could not be installed."""

    namespace = "deps"


class NetworkError(NamespaceError):
    """A request was refused or failed. `connections` makes an `OSError` of it."""

    namespace = "network"


_SHOWN = (ToolError, WorkflowError, ArtifactError, DepsError)

BY_NAMESPACE: dict[str, type[NamespaceError]] = {
    error.namespace: error for error in (*_SHOWN, NetworkError)
}

ALL: tuple[type[RPCError], ...] = (RPCError, NamespaceError, *_SHOWN)
"""Those that code in the sandbox finds as globals."""
