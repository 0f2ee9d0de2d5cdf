"""The program's entrance. A status line is drawn with every turn: it goes round all that is slow to import."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The program."""
    if sys.argv[1:2] == ["statusline"] and "--help" not in sys.argv:
        from keepwarm.views.statusline import main as draw

        draw(sys.argv[2:])
        os._exit(0)  # nothing is open, and to tidy up takes milliseconds too
    from keepwarm.cli import main as everything

    everything()


if __name__ == "__main__":
    main()
