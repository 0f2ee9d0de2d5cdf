"""Times are UTC."""

from __future__ import annotations

from tests.views.clocks import utc

__all__ = ["utc"]
