"""`python -m nmt` is `nmt`."""

import sys

from nmt.cli.main import main

sys.exit(main())
