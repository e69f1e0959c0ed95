"""``python -m mteb_hybrid`` is ``mteb-hybrid``."""

import sys

from mteb_hybrid.cli import main

sys.exit(main())
