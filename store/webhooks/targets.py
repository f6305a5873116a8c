"""Where notifications may go (retention contract, section 5.3): a receiver must not be a way into the network that
this runs in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urlsplit

from contracts.settings import Webhooks

Address = IPv4Address | IPv6Address

SHARED = ipaddress.ip_network("100.64.0.0/10")
_SITE_LOCAL = ipaddress.ip_network("fec0::/10")
# Prefixes of IPv6 that stand for an IPv4 address, with the bits to the right of it (RFC 4291, 6052, 2765).
_CARRIERS = tuple(
    (ipaddress.ip_network(text), shift)
    for text, shift in (("::/96", 0), ("64:ff9b::/96", 0), ("::ffff:0:0:0/96", 0))
)
_LOCAL_TRANSLATION = ipaddress.ip_network("64:ff9b:1::/48")
_PRINTABLE = "/?:@!$&'()*+,;=-._~%[]"


class TargetRefused(Exception):
    """This URL or address is not spoken to; says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver's URL in parts. ``path`` includes the query; ``authority`` is the Host header."""

    secure: bool
    host: str
    port: int
    path: str
    authority: str


def read_url(url: str) -> Target:
    """Take a URL apart. Raises TargetRefused for one that is no absolute http or https URL, or has user info."""
    if any(ord(letter) < 33 or ord(letter) == 127 for letter in url):
        raise TargetRefused("the URL has spaces or control characters")
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").rstrip(".")
    except ValueError as error:
        raise TargetRefused(f"the URL cannot be read: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise TargetRefused("the URL is not absolute http or https")
    if "@" in parts.netloc:
        raise TargetRefused("the URL has user info")
    if ":" not in host:
        try:
            host = host if host.isascii() else host.encode("idna").decode()
        except UnicodeError as error:
            raise TargetRefused(f"the host name cannot be read: {error}") from error
    secure = parts.scheme == "https"
    usual = 443 if secure else 80
    named = f"[{host}]" if ":" in host else host
    path = quote(parts.path or "/", safe=_PRINTABLE)
    path += f"?{quote(parts.query, safe=_PRINTABLE)}" if parts.query else ""
    return Target(secure, host, port or usual, path, named if port in (None, usual) else f"{named}:{port}")


def check_addresses(addresses: Iterable[str], settings: Webhooks) -> list[str]:
    """The addresses that a host resolved to, all of them good. Raises TargetRefused if any of them is not, or none."""
    found = list(dict.fromkeys(addresses))
    if not found:
        raise TargetRefused("the host has no address")
    for text in found:
        fault = address_fault(text, settings)
        if fault:
            raise TargetRefused(fault)
    return found


def literal_fault(url: str, settings: Webhooks) -> str:
    """Why a URL cannot be an account's receiver, as far as it tells without resolving; empty when it may."""
    try:
        host = read_url(url).host
        if host.lower() == "localhost" or host.lower().endswith(".localhost"):
            host = "127.0.0.1"
        check_addresses([str(ipaddress.ip_address(host))], settings)
    except TargetRefused as refused:
        return str(refused)
    except ValueError:
        return ""  # a name: looked at when it is resolved
    return ""


def address_fault(text: str, settings: Webhooks) -> str:
    """Why an address is refused, naming the option that admits it; empty when it is not."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return f"{text!r} is no address"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    faults = (_fault(one, settings) for one in (address, *_carried(address)))
    fault = next((fault for fault in faults if fault), "")
    return f"{text} {fault}" if fault else ""


def _fault(address: Address, settings: Webhooks) -> str:
    if address.is_loopback:
        return "" if settings.allow_loopback else "is a loopback address (webhooks.allow_loopback admits it)"
    for holds, kind in (
        (address.is_unspecified or (address.version == 4 and address.packed[0] == 0), "unspecified"),
        (address.is_multicast, "multicast"), (address.is_link_local, "link-local"),
    ):
        if holds:
            return f"is a {kind} address" if kind != "unspecified" else "is an unspecified address"
    site_local = address.version == 6 and address in _SITE_LOCAL
    private = address.is_private or site_local or (address.version == 4 and address in SHARED)
    if private and any(_inside(address, network) for network in settings.allow_networks):
        return ""
    if private:
        return "is a private, shared or reserved address (webhooks.allow_networks admits networks)"
    return "is a reserved address" if address.is_reserved else ""


def _inside(address: Address, network: str) -> bool:
    admitted = ipaddress.ip_network(network)
    return admitted.version == address.version and address in admitted


def _carried(address: Address) -> list[IPv4Address]:
    """IPv4 addresses that an IPv6 address stands for: compatible, translated, 6to4, Teredo's server and client."""
    if not isinstance(address, IPv6Address) or address.is_unspecified or address.is_loopback:
        return []
    carried = [IPv4Address(int(address) >> shift & 0xFFFFFFFF) for prefix, shift in _CARRIERS if address in prefix]
    if address in _LOCAL_TRANSLATION:  # any prefix length of RFC 6052 may be in use behind it
        carried.append(IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour is not None:
        carried.append(address.sixtofour)
    if address.teredo is not None:
        carried.extend(address.teredo)
    if int(address) >> 32 & 0xFFFFFFFF in (0x00005EFE, 0x02005EFE):  # ISATAP (RFC 5214)
        carried.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return carried
