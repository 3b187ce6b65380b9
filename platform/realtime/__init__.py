"""The event log of each user and its delivery over sockets."""
