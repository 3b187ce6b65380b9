"""Heads go to an address of the operator's choice, so that somebody else holds them too."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from quotes.heads import Head, UndeliveredError, receiver_target

TIMEOUT_S = 5.0


class HeadsReceiver:
    """Posts heads to one address. Where it has come to is kept by the address: a new one is told all from the start."""

    def __init__(self, url: str) -> None:
        self._url = url
        # The address itself may hold a secret, which belongs in no table.
        self.target = receiver_target(url)
        self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False)

    def deliver(self, heads: Sequence[Head]) -> None:
        """Post heads; they have arrived when the answer is 2xx, whatever it says.

        :raises UndeliveredError: on any other answer, or none in time
        """
        body = {"heads": [head.document for head in heads]}
        try:
            with self._client.stream("POST", self._url, json=body) as response:
                if not response.is_success:
                    raise UndeliveredError(f"answered with {response.status_code}")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UndeliveredError(type(error).__name__) from error

    def close(self) -> None:
        """Close what connections are kept."""
        self._client.close()
