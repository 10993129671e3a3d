"""What a driver needs for a scheduler that demands certificates, by Dask's own configuration, looked at beforehand.

Dask would say little of what is missing, and OpenSSL would ask whoever sits there for the password of a key.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from distributed.comm.core import CommClosedError
from distributed.security import Security

from lab.search.reading import SweepError

PLACE = "distributed.comm.tls"
WHERE = {"ca_file": f"{PLACE}.ca-file", "cert": f"{PLACE}.client.cert", "key": f"{PLACE}.client.key"}
ONE_AUTHORITY = f"it must be a scheduler with certificates, and {WHERE['ca_file']} and {WHERE['cert']} of its authority"
DISTRUST = (ssl.SSLError, CommClosedError)  # with which one of both ends a connection that they had


def require_certificates(address: str) -> None:
    """Raises SweepError for what the driver lacks, or has wrong, to speak to the scheduler at an address."""
    security = Security()
    given = security.get_tls_config_for_role("client")
    for key, name in WHERE.items():
        if given[key]:
            _require_readable(address, name, given[key])
        elif key != "key":  # which may stand in the certificate's file
            variable = "DASK_" + name.replace("-", "_").replace(".", "__").upper()
            lack = f"{address} asks for certificates, and Dask's configuration has no {name}"
            raise SweepError(f"{lack}: set {variable} to its file, or name it in ~/.config/dask/distributed.yaml")
    try:
        security.get_connection_args("client")
    except (ssl.SSLError, ValueError) as error:
        why = getattr(error, "reason", None) or str(error)
        unfit = f"Dask's configuration has certificates that cannot be used ({why.replace('_', ' ').lower()})"
        rule = "ca-file must be an authority's, client.cert the driver's own, and client.key the key of that"
        raise SweepError(f"{unfit} for {address}: {rule}") from error


def _require_readable(address: str, name: str, value: str) -> None:
    """See that a file of PEM can be read by whoever is not there to be asked; the value may be its content, too."""
    try:
        content = value if "\n" in value else Path(value).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no PEM"
        raise SweepError(f"{name} is {value}, which cannot be read ({why}), and {address} asks for it") from error
    if "ENCRYPTED" in content:
        cure = "nobody is asked here: name one without, which only its owner may read"
        raise SweepError(f"{name} is {value}, which asks for a password, for {address}: {cure}")
