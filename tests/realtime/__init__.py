"""The event log and the socket ``/ws/v1/``."""
