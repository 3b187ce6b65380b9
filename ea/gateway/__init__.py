"""The gateway: connections of Expert Advisors over TCP and WebSocket, one conversation for both."""
