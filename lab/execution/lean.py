"""Imported before Jupyter's packages, for a quick start: jsonschema, by which they check notebooks, would compile a
grammar for two seconds that only schemas with international addresses need, and does without it if it is not there."""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # as if it were not installed
