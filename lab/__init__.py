"""Everything that is not the network, a room for each concern.

Jupyter's packages check notebooks by jsonschema, which would compile a grammar for two seconds that only schemas with
international addresses need, and does without it if it is not there: here it is not.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # as if it were not installed; this runs before any room's imports
